// The optimizer's step.
#pragma once

#include "operands.h"

namespace ondevice::KERNEL_ISA {

// One step over n parameters p with gradients g and moments m, v, in place.
void adamw(float* p, const float* g, float* m, float* v, int64_t n, const AdamW& settings);

}  // namespace ondevice::KERNEL_ISA
