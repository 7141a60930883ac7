// Memory that kernels need between their steps, kept from call to call: fresh
// pages from the operating system would cost as much as a small product.
#pragma once

#include <cstdint>

namespace ondevice {

// What the memory is for; each purpose has a buffer of its own in each calling thread.
enum class Purpose { INPUT, WEIGHT, SECOND_INPUT, SMALL, SMALL_TOO, LOGITS, JOB, COUNT };

// At least n floats, aligned to 64 bytes, with any content; throws std::bad_alloc.
float* workspace(Purpose purpose, int64_t n);

}  // namespace ondevice
