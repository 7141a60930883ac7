// What kernels take besides plain arrays: quantized weights, packed activations, LoRA pairs.
#pragma once

#include "weight_types.h"

namespace ondevice {

// Where an operand stands in a product.
enum class Side { LEFT, RIGHT };

// An operand of a matrix product, laid out for the machine; packed.h says how.
struct Packed {
  float* words;
  int64_t vectors;  // how many
  int64_t length;   // entries of each
  int64_t depth;    // words of each: length, or half of it in bfloat16
  int64_t stride;   // from one group to the next, in words of one vector
  bool bf16;
  bool by_vector;   // its words are squares in which a row is a vector, not an entry
};

// An array in float32 or, where that is null, in bfloat16.
struct Activations {
  const float* f32;
  const uint16_t* bf16;
};

// A low-rank pair, a [R, K] and b [N, R]: the layer adds scale * (x Aᵀ) Bᵀ.
struct Lora {
  const float *a, *b;
  int64_t r, k, n;
  float scale;
  float* xa;        // [T, R] x Aᵀ, written by the forward and read by the backward pass
  float *da, *db;   // gradients that are added to, or null
};

// The pairs beside one matrix.
struct Loras {
  const Lora* first;
  int64_t count;
  const Lora* begin() const { return first; }
  const Lora* end() const { return first + count; }
};

// Token i sees the tokens first[i] .. i, and if window > 0 no more than the last
// `window` of these. Scores are scale * q·k. Query head h reads group h / (H / G).
struct AttentionShape {
  int64_t t, h, g, d;
  const int32_t* first;
  float scale;
  int64_t window;
  bool bf16;
};

// Settings of one AdamW step; correction1 = 1 - beta1^step, correction2 likewise.
struct AdamW {
  float learning_rate, beta1, beta2, eps, weight_decay, correction1, correction2, gradient_scale;
};

}  // namespace ondevice
