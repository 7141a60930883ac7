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
// Of the left side a product takes one word at a time, and copies it to all lanes.
// So what comes as rows is not transposed there: the words of a group are whole
// squares of LANES x LANES,
//
//     words[group][square][lane][p in square]
//
// Intel AMX multiplies such squares, in bfloat16. There the left side has always
// this form, and the right side whole squares too.
#pragma once

#include <stdint.h>

#include "operands.h"
#include "parallel.h"
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

// The layout of `vectors` vectors of `length` entries, without its words. A left
// side is for rows.
Packed plan(Side side, int64_t vectors, int64_t length, bool bf16);
// The layout of a left side for columns.
Packed plan_left_for_columns(int64_t vectors, int64_t length, bool bf16);
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
// T is float, or uint16_t for bfloat16.
template <class T> void pack_rows(const T* x, int64_t ld, const Packed& out);
// Packs the columns of x [length, vectors]: entry p of vector i is x[p * ld + i].
template <class T> void pack_columns(const T* x, int64_t ld, const Packed& out);

// Where a product C [a.vectors, b.vectors] = plus + alpha * A Bᵀ goes, with ld floats
// between rows. plus is laid out like c, may be c itself, and is nothing if null.
struct Output {
  float* c;
  int64_t ld;
  float alpha = 1;
  const float* plus = nullptr;
};

void multiply(const Packed& a, const Packed& b, const Output& out);

// The same, by the calling thread alone, for use inside a job.
template <class T> void pack_rows_here(const T* x, int64_t ld, const Packed& out);
template <class T> void pack_columns_here(const T* x, int64_t ld, const Packed& out);
void multiply_here(const Packed& a, const Packed& b, const Output& out);
// The same for a part of a quantized matrix, whose first entry is at `row` and `column`,
// a multiple of its block. Of columns, at most 256.
void pack_rows_here(const Weight& w, int64_t row, int64_t column, const Packed& out);
void pack_columns_here(const Weight& w, int64_t row, int64_t column, const Packed& out);

void round_to_bf16(const float* x, int64_t n, uint16_t* out);

// Packs rows of N arrays of one shape that are made on the way: make(row, first, count, to)
// writes the values first..first + count of a row to to[0], to[1] ... They pass through the
// first-level cache only.
template <int N, class F>
void pack_made_rows(const Packed (&out)[N], const F& make) {
  constexpr int64_t LENGTH = 4096 / N / LANES;
  alignas(64) float made[N][LANES * LENGTH];
  const int64_t length = out[0].length;
  for (int64_t row = 0; row < out[0].vectors; row += LANES) {
    const int64_t rows = min(LANES, out[0].vectors - row);
    for (int64_t first = 0; first < length; first += LENGTH) {
      const int64_t count = min(LENGTH, length - first);
      for (int64_t i = 0; i < rows; ++i) {
        float* to[N];
        for (int n = 0; n < N; ++n) to[n] = made[n] + i * LENGTH;
        make(row + i, first, count, to);
      }
      for (int n = 0; n < N; ++n)
        pack_rows_here(made[n], LENGTH, entries(vectors(out[n], row, rows), first, count));
    }
  }
}

}  // namespace ondevice::KERNEL_ISA
