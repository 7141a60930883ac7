// Sums of outer products over tokens: the gradients of low-rank pairs.
#pragma once

#include "packed.h"

namespace ondevice::KERNEL_ISA {

// sums [R, K] = leftᵀ right over the tokens, from left [T, R] (ld floats a row) and the
// rows of right [T, K], packed as a left side. Then out [R, K] += scale * sums, or with
// `transposed` out [K, R] += scale * sumsᵀ.
void outer_products(const float* left, int64_t ld, int64_t r, const Packed& right, float scale,
                    bool transposed, float* out);

}  // namespace ondevice::KERNEL_ISA
