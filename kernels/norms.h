// Norms: of a gradient, and RMSNorm.
#pragma once

#include <stdint.h>

namespace ondevice::KERNEL_ISA {

double sum_of_squares(const float* x, int64_t n);

}  // namespace ondevice::KERNEL_ISA
