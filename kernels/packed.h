// Operands of matrix products, laid out for the machine.
//
// Every product here is
//
//     C[i, j] = sum over p of A[i, p] * B[j, p]
//
// whichever matrix was transposed: packing sees to that. An operand's vectors
// A[i, .] are taken LANES at a time into a group; inside a group comes first
// entry 0 of each of them, then entry 1, and so on:
//
//     words[group][p][lane]
//
// so one load fetches entry p of LANES vectors. A word is one float32, or two
// neighbouring entries in bfloat16, which the processor multiplies and adds in
// one instruction. Vectors and entries beyond the end are zero.
//
// Intel AMX multiplies tiles of 16 x 16 words. There, in bfloat16, the words of
// a group are whole such squares, and those of the left side are transposed:
//
//     words[group][square][lane][p in square]
#pragma once

#include <stdint.h>

#include "operands.h"
#include "simd.h"

namespace ondevice::KERNEL_ISA {

#if defined(KERNEL_AVX512BF16)
constexpr bool HAS_BF16 = true;
#else
constexpr bool HAS_BF16 = false;
#endif

#if defined(KERNEL_AMX)
constexpr bool HAS_TILES = true;
#else
constexpr bool HAS_TILES = false;
#endif

// The layout of `vectors` vectors of `length` entries, without its words.
Packed plan(Side side, int64_t vectors, int64_t length, bool bf16);
// The size of its words, in floats.
int64_t words(const Packed& plan);

// The vectors first..first + count; first is a multiple of LANES.
inline Packed vectors(Packed p, int64_t first, int64_t count) {
  p.words += first * p.stride;
  p.vectors = count;
  return p;
}
// The entries first..first + length of every vector; first is a multiple of 32.
// Of what lies behind them in their last square a product takes no notice, if
// the other operand was planned with this length: there it has zeros.
inline Packed entries(Packed p, int64_t first, int64_t length) {
  p.words += (p.bf16 ? first / 2 : first) * LANES;
  p.length = length;
  p.depth = p.bf16 ? (length + 1) / 2 : length;
  return p;
}

// Packs the rows of x [vectors, length]: entry p of vector i is x[i * ld + p].
void pack_rows(const float* x, int64_t ld, const Packed& out);
// Packs the columns of x [length, vectors]: entry p of vector i is x[p * ld + i].
void pack_columns(const float* x, int64_t ld, const Packed& out);
// The same for a quantized matrix, from w.rows(first, ...) or from the columns
// first..first + out.vectors; `first` is a multiple of 256 for columns.
void pack_rows(const Weight& w, int64_t first, const Packed& out);
void pack_columns(const Weight& w, int64_t first, const Packed& out);

struct Product {
  Packed a, b;
};

// C [a.vectors, b.vectors] = alpha * A Bᵀ, or += with accumulate; ldc floats between rows.
void multiply(const Packed& a, const Packed& b, float alpha, bool accumulate, float* c,
              int64_t ldc);
// The same for the sum of `count` products, whose A and B differ in length only.
void multiply(const Product* products, int64_t count, float alpha, bool accumulate, float* c,
              int64_t ldc);

// The same, by the calling thread alone, for use inside a job.
void pack_rows_here(const float* x, int64_t ld, const Packed& out);
void pack_columns_here(const float* x, int64_t ld, const Packed& out);
void multiply_here(const Packed& a, const Packed& b, float alpha, bool accumulate, float* c,
                   int64_t ldc);

}  // namespace ondevice::KERNEL_ISA
