// Memory that kernels need between their steps, kept from call to call: fresh
// pages from the operating system would cost as much as a small product.
#pragma once

#include <cstdint>
#include <memory>

namespace ondevice {

// What the memory is for; each purpose has a buffer of its own in each calling thread.
enum class Purpose {
  INPUT, LAYER_INPUT, WEIGHT, SECOND_INPUT, SMALL, SMALL_TOO, INNER, OUTER, LOGITS, RESULT, JOB, COUNT
};

struct Release {
  void operator()(float* p) const;
};
using Floats = std::unique_ptr<float, Release>;

// n floats with any content, in huge pages where there are such.
Floats allocate(int64_t n);

// At least n floats, aligned to 64 bytes, with any content; throws std::bad_alloc.
float* workspace(Purpose purpose, int64_t n);

}  // namespace ondevice
