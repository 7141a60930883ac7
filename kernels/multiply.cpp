// The matrix product, from the inside out:
//
//   tile    ROWS vectors of A times STRIP groups of B, accumulated in registers
//   strip   the same groups of B, which stay in the first-level cache, and many tiles
//   block   many strips, with the A, B and C concerned in the second-level cache
//   jobs    the blocks of C
#include "packed.h"
#include "parallel.h"
#include "tiles.h"

namespace ondevice::KERNEL_ISA {
namespace {

// ROWS * STRIP registers hold sums, STRIP hold B, one holds an entry of A.
#if defined(KERNEL_AVX512BF16)
constexpr int ROWS = 8, STRIP = 3;
#elif defined(KERNEL_AVX2)
constexpr int ROWS = 4, STRIP = 3;
#elif defined(KERNEL_NEON)
constexpr int ROWS = 4, STRIP = 4;
#else
constexpr int ROWS = 4, STRIP = 2;
#endif

// A block of A and B and C together fit into the second-level cache.
constexpr int64_t DEPTH = 1024;     // words of a vector that are used at a time
constexpr int64_t JOB_ROWS = 128;  // vectors of A that a job takes
constexpr int64_t JOB_STRIPS = 4;  // strips of B
constexpr int64_t ENOUGH_JOBS = 16;

// C [rows <= ROWS, columns <= GROUPS * LANES] = plus + alpha * A Bᵀ over `depth` words.
template <bool BF16, bool BY_VECTOR, int GROUPS>
void tile(const float* a, const float* b, int64_t b_stride, int64_t depth, const Output& out,
          int64_t rows, int64_t columns) {
  Vec c[ROWS][GROUPS];
  UNROLL for (int i = 0; i < ROWS; ++i)
    UNROLL for (int g = 0; g < GROUPS; ++g) c[i][g] = zero();

  // The result is often far away, and comes while the sums are made.
  UNROLL for (int i = 0; i < ROWS; ++i)
    UNROLL for (int g = 0; g < GROUPS; ++g) {
      const int64_t at = i * out.ld + g * LANES;
      prefetch_to_write(out.c + at);
      if (out.plus) prefetch(out.plus + at);
    }

  for (int64_t square = 0; square < depth; square += LANES, a += LANES * LANES) {
    const int64_t count = min(LANES, depth - square);
    for (int64_t p = 0; p < count; ++p, b += LANES) {
      Vec b_p[GROUPS];
      UNROLL for (int g = 0; g < GROUPS; ++g) b_p[g] = load(b + g * b_stride);
      UNROLL for (int i = 0; i < ROWS; ++i) {
        const Vec a_ip = splat(BY_VECTOR ? a[i * LANES + p] : a[p * LANES + i]);
        UNROLL for (int g = 0; g < GROUPS; ++g)
          c[i][g] = BF16 ? fma_bf16(a_ip, b_p[g], c[i][g]) : fma(a_ip, b_p[g], c[i][g]);
      }
    }
  }

  const Vec alpha = splat(out.alpha);
  UNROLL for (int i = 0; i < ROWS; ++i) {
    if (i >= rows) break;
    UNROLL for (int g = 0; g < GROUPS; ++g) {
      const int64_t at = i * out.ld + g * LANES, width = columns - g * LANES;
      if (width >= LANES)
        store(out.c + at, out.plus ? fma(alpha, c[i][g], load(out.plus + at)) : alpha * c[i][g]);
      else
        store_some(out.c + at,
                   out.plus ? fma(alpha, c[i][g], load_some(out.plus + at, width)) : alpha * c[i][g],
                   width);
    }
  }
}

// `out`, from another place in it on.
Output from(const Output& out, int64_t row, int64_t column) {
  const int64_t at = row * out.ld + column;
  return {out.c + at, out.ld, out.alpha, out.plus ? out.plus + at : nullptr};
}

// Words p..p + depth of rows begin..end of A, `begin` a multiple of ROWS, and GROUPS groups of B.
template <bool BF16, bool BY_VECTOR, int GROUPS>
void strip(const Packed& a, int64_t begin, int64_t end, const Packed& b, int64_t group, int64_t p,
           int64_t depth, const Output& out) {
  const float* b_words = b.words + (group * b.stride + p) * LANES;
  const int64_t columns = b.vectors - group * LANES;
  for (int64_t i = begin; i < end; i += ROWS) {
    const float* a_words = a.words + (i / LANES * a.stride + p) * LANES +
                           (BY_VECTOR ? i % LANES * LANES : i % LANES);
    tile<BF16, BY_VECTOR, GROUPS>(a_words, b_words, b.stride * LANES, depth,
                                  from(out, i, group * LANES), end - i, columns);
  }
}

using Strip = void (*)(const Packed&, int64_t, int64_t, const Packed&, int64_t, int64_t, int64_t,
                       const Output&);
template <bool BF16, bool BY_VECTOR>
constexpr Strip STRIPS[] = {strip<BF16, BY_VECTOR, 1>, strip<BF16, BY_VECTOR, 2>,
                            strip<BF16, BY_VECTOR, 3>, strip<BF16, BY_VECTOR, 4>};

Strip strip_for(const Packed& a, int64_t groups) {
  if (a.bf16) return (a.by_vector ? STRIPS<true, true> : STRIPS<true, false>)[groups - 1];
  return (a.by_vector ? STRIPS<false, true> : STRIPS<false, false>)[groups - 1];
}

// How many of the groups that are left a strip takes: one alone would be slow.
int64_t strip_width(int64_t left) { return left == STRIP + 1 ? blocks(left, 2) : min(STRIP, left); }

#if defined(KERNEL_AMX)

using Tiles = void (*)(const float*, int64_t, const float*, int64_t, int64_t, const float*, float*,
                       int64_t);
constexpr Tiles TILES[2][2] = {{multiply_tiles<1, 1>, multiply_tiles<1, 2>},
                               {multiply_tiles<2, 1>, multiply_tiles<2, 2>}};

// What `strip` does, with tiles of 32 x 32; `groups` is 1 or 2.
void strip_of_tiles(const Packed& a, int64_t begin, int64_t end, const Packed& b, int64_t group,
                    int64_t groups, int64_t p, int64_t depth, const Output& out) {
  const TileRegisters claimed;
  alignas(64) float part[4 * SQUARE];
  const int64_t squares = blocks(depth, LANES), width = groups * LANES;
  const int64_t columns = min(width, b.vectors - group * LANES);
  const float* b_words = b.words + (group * b.stride + p) * LANES;
  for (int64_t i = begin; i < end; i += 2 * LANES) {
    const int64_t rows = min(2 * LANES, end - i), row_tiles = rows > LANES ? 2 : 1;
    const float* a_words = a.words + (i / LANES * a.stride + p) * LANES;
    const Output to = from(out, i, group * LANES);
    const bool direct = out.alpha == 1 && rows == row_tiles * LANES && columns == width;
    TILES[row_tiles - 1][groups - 1](a_words, a.stride * LANES, b_words, b.stride * LANES, squares,
                                     direct ? to.plus : nullptr, direct ? to.c : part,
                                     direct ? to.ld : width);
    if (direct) continue;
    const Vec alpha = splat(out.alpha);
    for (int64_t r = 0; r < rows; ++r)
      each_vector(columns, [&](int64_t j, auto at) {
        const Vec sum = alpha * at.load(part + r * width + j);
        const int64_t place = r * to.ld + j;
        at.store(to.c + place, to.plus ? sum + at.load(to.plus + place) : sum);
      });
  }
}

#endif

// Rows begin..end of A and the groups first..last of B. Of both, only some
// words of every vector are used at a time, so that they stay in the cache.
void block(const Packed& a, int64_t begin, int64_t end, const Packed& b, int64_t first,
           int64_t last, const Output& out) {
  // Steps end where squares do.
  const int64_t step = round_up(blocks(a.depth, blocks(a.depth, DEPTH)), LANES);
  for (int64_t p = 0; p < a.depth; p += step) {
    const int64_t depth = min(step, a.depth - p);
    const Output sum{out.c, out.ld, out.alpha, p > 0 ? out.c : out.plus};
#if defined(KERNEL_AMX)
    if (a.bf16) {
      for (int64_t group = first; group < last; group += 2)
        strip_of_tiles(a, begin, end, b, group, min(2, last - group), p, depth, sum);
      continue;
    }
#endif
    for (int64_t group = first, groups; group < last; group += groups) {
      groups = strip_width(last - group);
      strip_for(a, groups)(a, begin, end, b, group, p, depth, sum);
    }
  }
}

}  // namespace

void multiply(const Packed& a, const Packed& b, const Output& out) {
  // Large blocks fetch less from memory; but there must be enough of them to share.
  const int64_t groups = blocks(b.vectors, LANES);
  int64_t rows = JOB_ROWS, width = JOB_STRIPS * STRIP;
  const auto jobs = [&] { return blocks(a.vectors, rows) * blocks(groups, width); };
  while (jobs() < ENOUGH_JOBS && width > STRIP) width = round_up(width / 2, STRIP);
  while (jobs() < ENOUGH_JOBS && rows > LANES) rows /= 2;
  const int64_t down = blocks(a.vectors, rows);
  parallel(jobs(), [&](int64_t job) {
    const int64_t begin = job % down * rows, first = job / down * width;
    block(a, begin, min(a.vectors, begin + rows), b, first, min(groups, first + width), out);
  });
}

void multiply_here(const Packed& a, const Packed& b, const Output& out) {
  for (int64_t begin = 0; begin < a.vectors; begin += JOB_ROWS)
    block(a, begin, min(a.vectors, begin + JOB_ROWS), b, 0, blocks(b.vectors, LANES), out);
}

}  // namespace ondevice::KERNEL_ISA
