// The table of kernels: one function pointer each, filled once per instruction set.
//
// Letters for dimensions, the same in every file:
//
//   T  tokens (all documents of a pack, one after the other)
//   K  inputs of a linear layer       N  outputs of a linear layer
//   R  rank of a LoRA pair            V  vocabulary
//   H  query heads                    G  key and value heads (G divides H)
//   D  width of one head              F  width of the feed-forward layer
//
// Arrays are row-major float32 unless a comment says otherwise.
#pragma once

#include <cstdint>

#include "operands.h"

namespace ondevice {

struct Kernels {
  const char* isa;
  bool has_bf16;

  int64_t (*multiply_adds_in_registers)(bool bf16, int64_t jobs, int64_t rounds, float* sink);
  void (*dequantize_rows)(const Weight& w, const int32_t* rows, int64_t count, float* out);

  Packed (*plan)(Side side, int64_t vectors, int64_t length, bool bf16);
  int64_t (*words)(const Packed& plan);
  void (*pack_rows)(const float* x, int64_t ld, const Packed& out);
  void (*pack_rows_of_bf16)(const uint16_t* x, int64_t ld, const Packed& out);
  void (*round_to_bf16)(const float* x, int64_t n, uint16_t* out);
  void (*linear_forward)(const Packed& x, const Weight& w, const Loras& pairs, const float* plus,
                         float* y, uint16_t* y_bf16);
  void (*linear_backward)(const Packed& dy, const Weight& w, const Loras& pairs, const Packed* x,
                          bool accumulate, float* dx);

  void (*rms_norm_forward)(const float* x, const float* weight, float eps, int64_t t, int64_t k,
                           float* y, float* rstd);
  void (*rms_norm_packed)(const float* x, const float* weight, float eps, const Packed& y,
                          float* rstd);
  void (*rms_norm_backward)(const float* dy, const float* x, const float* weight,
                            const float* rstd, int64_t t, int64_t k, bool accumulate, float* dx);
  void (*rope)(float* x, const float* cos, const float* sin, int64_t t, int64_t h, int64_t d,
               int64_t p, bool interleaved, bool backward);
  void (*gated_forward)(const Activations& gate, const Activations& up, bool gelu,
                        const Packed& out);
  void (*gated_backward)(const float* dout, const Activations& gate, const Activations& up,
                         bool gelu, const Packed& dgate, const Packed& dup);
  void (*attention_forward)(const AttentionShape& shape, const Activations& q,
                            const Activations& k, const Activations& v, float* o,
                            uint16_t* o_bf16, float* lse);
  void (*attention_backward)(const AttentionShape& shape, const float* d_o, const Activations& q,
                             const Activations& k, const Activations& v, const Activations& o,
                             const float* lse, float* dq, float* dk, float* dv);

  void (*cross_entropy)(const Packed& h, const Weight& w, const int32_t* targets,
                        const float* weights, float* loss, float* dh);
  void (*adamw)(float* p, const float* g, float* m, float* v, int64_t n, const AdamW& settings);
  double (*sum_of_squares)(const float* x, int64_t n);
};

// Each is defined by table.cpp, compiled for that instruction set.
namespace portable { extern const Kernels table; }
namespace avx2 { extern const Kernels table; }
namespace avx512bf16 { extern const Kernels table; }
namespace amx { extern const Kernels table; }
namespace neon { extern const Kernels table; }

}  // namespace ondevice
