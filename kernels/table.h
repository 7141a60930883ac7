// The table of kernels: one function pointer each, filled once per instruction set.
//
// Letters for dimensions, the same in every file:
//
//   T  tokens (all documents of a pack, one after the other)
//   K  inputs of a linear layer       N  outputs of a linear layer
//   R  rank of a LoRA pair            V  vocabulary
//   H  query heads                    G  key and value heads (G divides H)
//   D  width of one head
//
// Arrays are row-major float32 unless a comment says otherwise.
#pragma once

#include <cstdint>

namespace ondevice {

struct Kernels {
  const char* isa;
  double (*sum_of_squares)(const float* x, int64_t n);
};

// Each is defined by table.cpp, compiled for that instruction set.
namespace portable { extern const Kernels table; }
namespace avx2 { extern const Kernels table; }
namespace avx512bf16 { extern const Kernels table; }
namespace neon { extern const Kernels table; }

}  // namespace ondevice
