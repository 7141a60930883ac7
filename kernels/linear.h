// Linear layers over frozen quantized weights, with low-rank adapters beside them.
#pragma once

#include "packed.h"

namespace ondevice::KERNEL_ISA {

// y [T, N] = plus + x [T, K] Wᵀ + sum of scale * (x Aᵀ) Bᵀ over the pairs; plus may be y
// itself, or null. Every pair's x Aᵀ is kept in its xa. If y is null, the result is rounded
// to y_bf16, and plus must be null.
void linear_forward(const Packed& x, const Weight& w, const Loras& pairs, const float* plus,
                    float* y, uint16_t* y_bf16 = nullptr);

// dx [T, K] = dy [T, N] W + sum of scale * (dy B) A, or += with accumulate, if dx
// is wanted; and every pair's da and db, if wanted. x is the layer's input, needed
// where a da is wanted.
void linear_backward(const Packed& dy, const Weight& w, const Loras& pairs, const Packed* x,
                     bool accumulate, float* dx);

}  // namespace ondevice::KERNEL_ISA
