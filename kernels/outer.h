// Sums of outer products over tokens: the gradients of low-rank pairs.
#pragma once

#include <stdint.h>

namespace ondevice::KERNEL_ISA {

// sums [R, K] = leftᵀ right over the tokens, from left [T, R] (ld floats a row) and right [T, K].
// Then out [R, K] += scale * sums, or with `transposed` out [K, R] += scale * sumsᵀ.
void outer_products(const float* left, int64_t ld, const float* right, int64_t t, int64_t r,
                    int64_t k, float scale, bool transposed, float* out);

}  // namespace ondevice::KERNEL_ISA
