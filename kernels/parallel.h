// Runs a lambda as the jobs of the thread pool.
#pragma once

#include "thread_pool.h"

namespace ondevice::KERNEL_ISA {

template <class F>
void parallel(int64_t jobs, const F& f) {
  run_jobs(jobs, [](const void* context, int64_t job) { (*static_cast<const F*>(context))(job); },
           &f);
}

inline int64_t min(int64_t a, int64_t b) { return a < b ? a : b; }
inline int64_t max(int64_t a, int64_t b) { return a > b ? a : b; }
inline int64_t blocks(int64_t n, int64_t block) { return (n + block - 1) / block; }
inline int64_t round_up(int64_t n, int64_t block) { return blocks(n, block) * block; }

}  // namespace ondevice::KERNEL_ISA
