// Norms: RMSNorm, and that of a gradient.
#pragma once

#include "packed.h"

namespace ondevice::KERNEL_ISA {

// y [T, K] = x * rstd * weight; rstd [T] = 1 / sqrt(mean(x^2) + eps)
void rms_norm_forward(const float* x, const float* weight, float eps, int64_t t, int64_t k,
                      float* y, float* rstd);

// The same, with y [T, K] packed as a left side.
void rms_norm_packed(const float* x, const float* weight, float eps, const Packed& y, float* rstd);

// dx [T, K], or += with accumulate
void rms_norm_backward(const float* dy, const float* x, const float* weight, const float* rstd,
                       int64_t t, int64_t k, bool accumulate, float* dx);

double sum_of_squares(const float* x, int64_t n);

}  // namespace ondevice::KERNEL_ISA
