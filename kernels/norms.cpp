#include "norms.h"

#include "parallel.h"
#include "rows.h"

namespace ondevice::KERNEL_ISA {
namespace {

constexpr int64_t TOKENS = 16;  // of one job

float reciprocal_deviation(const float* row, int64_t k, float eps) {
  return 1.0f / sqrtf(dot(row, row, k) / float(k) + eps);
}

void normalize(const float* row, const float* weight, float rstd, int64_t k, float* y) {
  const Vec r = splat(rstd);
  each_vector(k, [&](int64_t j, auto at) {
    at.store(y + j, at.load(row + j) * r * at.load(weight + j));
  });
}

}  // namespace

void rms_norm_forward(const float* x, const float* weight, float eps, int64_t t, int64_t k,
                      float* y, float* rstd) {
  parallel(blocks(t, TOKENS), [&](int64_t job) {
    for (int64_t i = job * TOKENS; i < min(t, (job + 1) * TOKENS); ++i) {
      rstd[i] = reciprocal_deviation(x + i * k, k, eps);
      normalize(x + i * k, weight, rstd[i], k, y + i * k);
    }
  });
}

void rms_norm_packed(const float* x, const float* weight, float eps, const Packed& y, float* rstd) {
  const int64_t k = y.length;
  parallel(blocks(y.vectors, TOKENS), [&](int64_t job) {
    const int64_t begin = job * TOKENS, count = min(TOKENS, y.vectors - begin);
    for (int64_t i = begin; i < begin + count; ++i)
      rstd[i] = reciprocal_deviation(x + i * k, k, eps);
    const Packed to[] = {vectors(y, begin, count)};
    pack_made_rows(to, [&](int64_t i, int64_t first, int64_t n, float* const made[1]) {
      normalize(x + (begin + i) * k + first, weight + first, rstd[begin + i], n, made[0]);
    });
  });
}

// With n = x * rstd, y = n * weight:  dx = rstd * (dn - n * mean(dn * n)), dn = dy * weight
void rms_norm_backward(const float* dy, const float* x, const float* weight, const float* rstd,
                       int64_t t, int64_t k, bool accumulate, float* dx) {
  parallel(blocks(t, TOKENS), [&](int64_t job) {
    for (int64_t i = job * TOKENS; i < min(t, (job + 1) * TOKENS); ++i) {
      const float *dy_i = dy + i * k, *x_i = x + i * k;
      float* dx_i = dx + i * k;
      const Vec r = splat(rstd[i]);
      Vec dots = zero();
      each_vector(k, [&](int64_t j, auto at) {
        dots = fma(at.load(dy_i + j) * at.load(weight + j), at.load(x_i + j) * r, dots);
      });
      const Vec mean = splat(sum(dots) / float(k));
      each_vector(k, [&](int64_t j, auto at) {
        const Vec dn = at.load(dy_i + j) * at.load(weight + j), n = at.load(x_i + j) * r;
        const Vec d = r * (dn - n * mean);
        at.store(dx_i + j, accumulate ? at.load(dx_i + j) + d : d);
      });
    }
  });
}

// Sum of x[i]^2 over an array, in blocks, so that a large gradient loses no
// small contributions.
double sum_of_squares(const float* x, int64_t n) {
  constexpr int64_t BLOCK = 4096;
  double total = 0;
  for (int64_t start = 0; start < n; start += BLOCK)
    total += dot(x + start, x + start, min(BLOCK, n - start));
  return total;
}

}  // namespace ondevice::KERNEL_ISA
