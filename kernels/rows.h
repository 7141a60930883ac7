// Small things done to one row of floats.
#pragma once

#include "simd.h"

namespace ondevice::KERNEL_ISA {

inline float largest_of(const float* x, int64_t n) {
  Vec most = splat(-INFINITY);
  int64_t i = 0;
  for (; i + LANES <= n; i += LANES) most = max(most, load(x + i));
  float result = largest(most);
  for (; i < n; ++i) result = x[i] > result ? x[i] : result;
  return result;
}

inline float sum_of(const float* x, int64_t n) {
  Vec total = zero();
  each_vector(n, [&](int64_t i, auto at) { total = total + at.load(x + i); });
  return sum(total);
}

template <class T>
float dot(const float* a, const T* b, int64_t n) {
  Vec total = zero();
  each_vector(n, [&](int64_t i, auto at) { total = fma(at.load(a + i), at.load(b + i), total); });
  return sum(total);
}

inline void round_row(const float* x, int64_t n, uint16_t* out) {
  each_vector(n, [&](int64_t i, auto at) { at.store(out + i, at.load(x + i)); });
}

inline void scale_row(float* x, int64_t n, float factor) {
  const Vec f = splat(factor);
  each_vector(n, [&](int64_t j, auto at) { at.store(x + j, at.load(x + j) * f); });
}

}  // namespace ondevice::KERNEL_ISA
