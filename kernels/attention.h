// Causal grouped-query attention, tiled: no [T, T] array is ever made.
#pragma once

#include "operands.h"

namespace ondevice::KERNEL_ISA {

// q, k, v and o are all in float32, or all in bfloat16.

// o [T, H, D], or if that is null o_bf16, and lse [H, T], from q [T, H, D], k and v [T, G, D].
void attention_forward(const AttentionShape& shape, const Activations& q, const Activations& k,
                       const Activations& v, float* o, uint16_t* o_bf16, float* lse);

// dq [T, H, D], dk and dv [T, G, D].
void attention_backward(const AttentionShape& shape, const float* d_o, const Activations& q,
                        const Activations& k, const Activations& v, const Activations& o,
                        const float* lse, float* dq, float* dk, float* dv);

}  // namespace ondevice::KERNEL_ISA
