#include "dequantize.h"
#include "packed.h"
#include "parallel.h"
#include "rows.h"

namespace ondevice::KERNEL_ISA {
namespace {

constexpr int64_t SCRATCH = 8192;  // floats of one job's dequantized weights: the first-level cache

float* word(const Packed& p, int64_t group, int64_t entry) {
  return p.words + (group * p.stride + (p.bf16 ? entry / 2 : entry)) * LANES;
}

template <class T>
Vec load_up_to(const T* p, int64_t n) {
  return n >= LANES ? load(p) : n > 0 ? load_some(p, n) : zero();
}

// One group from up to LANES rows of x [vectors, length], length >= 1.
template <bool BF16, bool BY_VECTOR, class T>
void group_of_rows(const T* x, int64_t ld, int64_t vectors, int64_t length, float* out) {
  constexpr int64_t ENTRIES = BF16 ? 2 * LANES : LANES;  // taken at once from each row
  constexpr bool WHOLE_SQUARES = BY_VECTOR || (BF16 && HAS_TILES);
  for (int64_t p = 0; p < length; p += ENTRIES) {
    Vec square[LANES];
    UNROLL for (int i = 0; i < LANES; ++i) {
      const T* row = x + i * ld + p;
      if (i >= vectors)
        square[i] = zero();
      else if (BF16)
        square[i] = bf16_pairs(load_up_to(row, length - p), load_up_to(row + LANES, length - p - LANES));
      else
        square[i] = load_up_to(row, length - p);
    }
    if (!BY_VECTOR) transpose(square);
    const int64_t entries = min(ENTRIES, length - p), words = BF16 ? (entries + 1) / 2 : entries;
    if (WHOLE_SQUARES || words == LANES) {
      UNROLL for (int i = 0; i < LANES; ++i) store(out + i * LANES, square[i]);
    } else {
      for (int i = 0; i < words; ++i) store(out + i * LANES, square[i]);
    }
    out += LANES * LANES;
  }
}

// One group from up to LANES columns of x [length, vectors].
template <bool BF16, bool BY_VECTOR, class T>
void group_of_columns(const T* x, int64_t ld, int64_t vectors, int64_t length, float* out) {
  const auto words = [&](int64_t p) {
    const Vec low = load_up_to(x + p * ld, vectors);
    if (!BF16) return low;
    return interleaved_bf16(low, p + 1 < length ? load_up_to(x + (p + 1) * ld, vectors) : zero());
  };
  if (BF16 && HAS_TILES) {
    for (int64_t p = 0; p < length; p += 2 * LANES, out += LANES * LANES) {
      Vec square[LANES];
      UNROLL for (int i = 0; i < LANES; ++i)
        square[i] = p + 2 * i < length ? words(p + 2 * i) : zero();
      if (BY_VECTOR) transpose(square);
      UNROLL for (int i = 0; i < LANES; ++i) store(out + i * LANES, square[i]);
    }
  } else {
    for (int64_t p = 0; p < length; p += BF16 ? 2 : 1, out += LANES) store(out, words(p));
  }
}

// Writes entries `entry`.. of a group of `out`; `entry` is a multiple of 32.
template <class T>
void group_of_rows(const T* x, int64_t ld, int64_t vectors, int64_t length, const Packed& out,
                   int64_t group, int64_t entry) {
  const auto pack = out.by_vector ? (out.bf16 ? group_of_rows<true, true, T> : group_of_rows<false, true, T>)
                    : out.bf16 ? group_of_rows<true, false, T> : group_of_rows<false, false, T>;
  pack(x, ld, vectors, length, word(out, group, entry));
}

template <class T>
void group_of_columns(const T* x, int64_t ld, int64_t vectors, int64_t length, const Packed& out,
                      int64_t group, int64_t entry) {
  const auto pack = !out.bf16 ? group_of_columns<false, false, T>
                    : out.by_vector ? group_of_columns<true, true, T> : group_of_columns<true, false, T>;
  pack(x, ld, vectors, length, word(out, group, entry));
}

int64_t groups(const Packed& p) { return blocks(p.vectors, LANES); }

Packed plan(int64_t vectors, int64_t length, bool bf16, bool by_vector) {
  const int64_t depth = bf16 ? (length + 1) / 2 : length;
  const int64_t stored = by_vector || (bf16 && HAS_TILES) ? round_up(depth, LANES) : depth;
  // An odd stride, so that the groups do not all fall on the same cache sets.
  return {nullptr, vectors, length, depth, stored | 1, bf16, by_vector};
}

}  // namespace

Packed plan(Side side, int64_t vectors, int64_t length, bool bf16) {
  return plan(vectors, length, bf16, side == Side::LEFT);
}

Packed plan_left_for_columns(int64_t vectors, int64_t length, bool bf16) {
  return plan(vectors, length, bf16, bf16 && HAS_TILES);
}

int64_t words(const Packed& plan) { return groups(plan) * plan.stride * LANES; }

template <class T>
void pack_rows_here(const T* x, int64_t ld, const Packed& out) {
  for (int64_t i = 0; i < out.vectors; i += LANES)
    group_of_rows(x + i * ld, ld, out.vectors - i, out.length, out, i / LANES, 0);
}

template <class T>
void pack_columns_here(const T* x, int64_t ld, const Packed& out) {
  for (int64_t i = 0; i < out.vectors; i += LANES)
    group_of_columns(x + i, ld, out.vectors - i, out.length, out, i / LANES, 0);
}

template <class T>
void pack_rows(const T* x, int64_t ld, const Packed& out) {
  parallel(groups(out), [&](int64_t group) {
    const int64_t i = group * LANES;
    group_of_rows(x + i * ld, ld, out.vectors - i, out.length, out, group, 0);
  });
}

template <class T>
void pack_columns(const T* x, int64_t ld, const Packed& out) {
  // Squares of 32 rows by 16 groups, so that both sides are read and written in runs.
  constexpr int64_t ROWS = 32, GROUPS = 16;
  const int64_t across = blocks(groups(out), GROUPS);
  parallel(across * blocks(out.length, ROWS), [&](int64_t job) {
    const int64_t row = job / across * ROWS, first = job % across * GROUPS;
    const int64_t length = min(ROWS, out.length - row);
    for (int64_t g = first; g < min(groups(out), first + GROUPS); ++g)
      group_of_columns(x + row * ld + g * LANES, ld, out.vectors - g * LANES, length, out, g, row);
  });
}

template void pack_rows_here(const float*, int64_t, const Packed&);
template void pack_rows_here(const uint16_t*, int64_t, const Packed&);
template void pack_columns_here(const float*, int64_t, const Packed&);
template void pack_columns_here(const uint16_t*, int64_t, const Packed&);
template void pack_rows(const float*, int64_t, const Packed&);
template void pack_rows(const uint16_t*, int64_t, const Packed&);
template void pack_columns(const float*, int64_t, const Packed&);

void round_to_bf16(const float* x, int64_t n, uint16_t* out) {
  constexpr int64_t JOB = 8192;
  parallel(blocks(n, JOB), [&](int64_t job) {
    round_row(x + job * JOB, min(JOB, n - job * JOB), out + job * JOB);
  });
}

void pack_rows_here(const Weight& w, int64_t row, int64_t column, const Packed& out) {
  constexpr int64_t LENGTH = SCRATCH / LANES;
  alignas(64) float scratch[SCRATCH];
  for (int64_t i = 0; i < out.vectors; i += LANES) {
    const int64_t vectors = min(LANES, out.vectors - i);
    for (int64_t k = 0; k < out.length; k += LENGTH) {
      const int64_t length = min(LENGTH, out.length - k);
      for (int64_t j = 0; j < vectors; ++j)
        DEQUANTIZERS[w.type](w.at(row + i + j, column + k), length, scratch + j * LENGTH);
      group_of_rows(scratch, LENGTH, vectors, length, out, i / LANES, k);
    }
  }
}

void pack_columns_here(const Weight& w, int64_t row, int64_t column, const Packed& out) {
  alignas(64) float scratch[SCRATCH];
  const int64_t width = round_up(out.vectors, LANES), rows = SCRATCH / width / 32 * 32;
  for (int64_t k = 0; k < out.length; k += rows) {
    const int64_t length = min(rows, out.length - k);
    for (int64_t i = 0; i < length; ++i)
      DEQUANTIZERS[w.type](w.at(row + k + i, column), out.vectors, scratch + i * width);
    for (int64_t i = 0; i < out.vectors; i += LANES)
      group_of_columns(scratch + i, width, out.vectors - i, length, out, i / LANES, k);
  }
}

}  // namespace ondevice::KERNEL_ISA
