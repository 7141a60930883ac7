// What kernels take besides plain arrays: quantized weights, packed activations, LoRA pairs.
#pragma once

#include "weight_types.h"

namespace ondevice {

// An operand of a matrix product, laid out for the machine; packed.h says how.
struct Packed {
  float* words;
  int64_t vectors;  // how many
  int64_t length;   // entries of each
  int64_t depth;    // words of each: length, or half of it in bfloat16
  int64_t stride;   // from one group to the next, in words of one vector
  bool bf16;
};

// A low-rank pair, a [R, K] and b [N, R]: the layer adds scale * (x Aᵀ) Bᵀ.
struct Lora {
  const float *a, *b;
  int64_t r, k, n;
  float scale;
};

}  // namespace ondevice
