// Linear layers over frozen quantized weights, and low-rank adapters beside them.
#pragma once

#include "packed.h"

namespace ondevice::KERNEL_ISA {

// y [T, N] = x [T, K] Wᵀ, or += with accumulate; x holds rows of K.
void linear_forward(const Packed& x, const Weight& w, bool accumulate, float* y);

// dx [T, K] = dy [T, N] W, or += with accumulate; dy holds rows of N.
void linear_backward(const Packed& dy, const Weight& w, bool accumulate, float* dx);

// xa [T, R] = x Aᵀ and y [T, N] += scale * xa Bᵀ
void lora_forward(const Packed& x, const Lora& lora, float* xa, float* y);

// da [R, K] +=, db [N, R] +=, dx [T, K] +=; any of them may be null. dy_packed
// holds the rows of dy [T, N].
void lora_backward(const Packed& dy_packed, const float* dy, const float* x, const float* xa,
                   const Lora& lora, float* da, float* db, float* dx);

}  // namespace ondevice::KERNEL_ISA
