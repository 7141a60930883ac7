// A small thread pool.
//
// Work is cut into jobs whose number never depends on the number of threads,
// and every job writes outputs of its own; so which thread takes which job, and
// how many there are, never changes a result.
#pragma once

#include <cstdint>

namespace ondevice {

// Number of threads that share the work, the caller among them.
void set_threads(int n);
int threads();

using Job = void (*)(const void* context, int64_t job);

// Calls job(context, j) for every j in 0..jobs-1 and returns when all are done.
void run_jobs(int64_t jobs, Job job, const void* context);

}  // namespace ondevice
