// Causal grouped-query attention, tiled: no [T, T] array is ever made.
#pragma once

#include "operands.h"

namespace ondevice::KERNEL_ISA {

// o [T, H, D] and lse [H, T], from q [T, H, D], k and v [T, G, D].
void attention_forward(const AttentionShape& shape, const float* q, const float* k, const float* v,
                       float* o, float* lse);

// dq [T, H, D], dk and dv [T, G, D].
void attention_backward(const AttentionShape& shape, const float* d_o, const float* q,
                        const float* k, const float* v, const float* o, const float* lse,
                        float* dq, float* dk, float* dv);

}  // namespace ondevice::KERNEL_ISA
