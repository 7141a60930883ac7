#include "rope.h"

#include "parallel.h"
#include "simd.h"

namespace ondevice::KERNEL_ISA {
namespace {

void rotate_halves(float* x, const float* cos, const float* sin, int64_t p, Vec sign) {
  each_vector(p, [&](int64_t i, auto at) {
    const Vec a = at.load(x + i), b = at.load(x + p + i);
    const Vec c = at.load(cos + i), s = at.load(sin + i) * sign;
    at.store(x + i, a * c - b * s);
    at.store(x + p + i, a * s + b * c);
  });
}

void rotate_neighbours(float* x, const float* cos, const float* sin, int64_t p, float sign) {
  for (int64_t i = 0; i < p; ++i) {
    const float a = x[2 * i], b = x[2 * i + 1], s = sin[i] * sign;
    x[2 * i] = a * cos[i] - b * s;
    x[2 * i + 1] = a * s + b * cos[i];
  }
}

}  // namespace

void rope(float* x, const float* cos, const float* sin, int64_t t, int64_t h, int64_t d, int64_t p,
          bool interleaved, bool backward) {
  constexpr int64_t TOKENS = 16;
  const float sign = backward ? -1.0f : 1.0f;
  parallel(blocks(t, TOKENS), [&](int64_t job) {
    for (int64_t i = job * TOKENS; i < min(t, (job + 1) * TOKENS); ++i)
      for (int64_t head = 0; head < h; ++head) {
        float* at = x + (i * h + head) * d;
        if (interleaved)
          rotate_neighbours(at, cos + i * p, sin + i * p, p, sign);
        else
          rotate_halves(at, cos + i * p, sin + i * p, p, splat(sign));
      }
  });
}

}  // namespace ondevice::KERNEL_ISA
