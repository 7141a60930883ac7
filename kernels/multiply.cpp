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

struct Output {
  float* c;
  int64_t ld;
  float alpha;
};

// C [rows <= ROWS, columns <= STRIP * LANES] (+)= alpha * A Bᵀ over `depth` words.
template <bool BF16, int GROUPS>
void tile(const float* a, const float* b, int64_t b_stride, int64_t depth, const Output& out,
          int64_t rows, int64_t columns, bool accumulate) {
  Vec c[ROWS][GROUPS];
  UNROLL for (int i = 0; i < ROWS; ++i)
    UNROLL for (int g = 0; g < GROUPS; ++g) c[i][g] = zero();

  for (int64_t p = 0; p < depth; ++p) {
    Vec b_p[GROUPS];
    UNROLL for (int g = 0; g < GROUPS; ++g) b_p[g] = load(b + g * b_stride + p * LANES);
    UNROLL for (int i = 0; i < ROWS; ++i) {
      const Vec a_ip = splat(a[p * LANES + i]);
      UNROLL for (int g = 0; g < GROUPS; ++g)
        c[i][g] = BF16 ? fma_bf16(a_ip, b_p[g], c[i][g]) : fma(a_ip, b_p[g], c[i][g]);
    }
  }

  const Vec alpha = splat(out.alpha);
  UNROLL for (int i = 0; i < ROWS; ++i) {
    if (i >= rows) break;
    UNROLL for (int g = 0; g < GROUPS; ++g) {
      float* to = out.c + i * out.ld + g * LANES;
      const int64_t width = columns - g * LANES;
      if (width >= LANES)
        store(to, accumulate ? fma(alpha, c[i][g], load(to)) : alpha * c[i][g]);
      else
        store_some(to, accumulate ? fma(alpha, c[i][g], load_some(to, width)) : alpha * c[i][g],
                   width);
    }
  }
}

// Words p..p + depth of rows begin..end of A, `begin` a multiple of ROWS, and GROUPS groups of B.
template <bool BF16, int GROUPS>
void strip(const Packed& a, int64_t begin, int64_t end, const Packed& b, int64_t group, int64_t p,
           int64_t depth, const Output& out, bool accumulate) {
  const float* b_words = b.words + (group * b.stride + p) * LANES;
  const int64_t columns = b.vectors - group * LANES;
  for (int64_t i = begin; i < end; i += ROWS) {
    const float* a_words = a.words + (i / LANES * a.stride + p) * LANES + i % LANES;
    tile<BF16, GROUPS>(a_words, b_words, b.stride * LANES, depth,
                       {out.c + i * out.ld + group * LANES, out.ld, out.alpha}, end - i, columns,
                       accumulate);
  }
}

using Strip = void (*)(const Packed&, int64_t, int64_t, const Packed&, int64_t, int64_t, int64_t,
                       const Output&, bool);
template <bool BF16>
constexpr Strip STRIPS[] = {strip<BF16, 1>, strip<BF16, 2>, strip<BF16, 3>, strip<BF16, 4>};

#if defined(KERNEL_AMX)

using Tiles = void (*)(const float*, int64_t, const float*, int64_t, int64_t, bool, float*, int64_t);
constexpr Tiles TILES[2][2] = {{multiply_tiles<1, 1>, multiply_tiles<1, 2>},
                               {multiply_tiles<2, 1>, multiply_tiles<2, 2>}};

// What `strip` does, with tiles of 32 x 32; `groups` is 1 or 2.
void strip_of_tiles(const Packed& a, int64_t begin, int64_t end, const Packed& b, int64_t group,
                    int64_t groups, int64_t p, int64_t depth, const Output& out, bool accumulate) {
  const TileRegisters claimed;
  alignas(64) float part[4 * SQUARE];
  const int64_t squares = blocks(depth, LANES), width = groups * LANES;
  const int64_t columns = min(width, b.vectors - group * LANES);
  const float* b_words = b.words + (group * b.stride + p) * LANES;
  for (int64_t i = begin; i < end; i += 2 * LANES) {
    const int64_t rows = min(2 * LANES, end - i), row_tiles = rows > LANES ? 2 : 1;
    const float* a_words = a.words + (i / LANES * a.stride + p) * LANES;
    float* c = out.c + i * out.ld + group * LANES;
    const bool direct = out.alpha == 1 && rows == row_tiles * LANES && columns == width;
    TILES[row_tiles - 1][groups - 1](a_words, a.stride * LANES, b_words, b.stride * LANES, squares,
                                     direct && accumulate, direct ? c : part,
                                     direct ? out.ld : width);
    if (direct) continue;
    const Vec alpha = splat(out.alpha);
    for (int64_t r = 0; r < rows; ++r)
      each_vector(columns, [&](int64_t j, auto at) {
        const Vec sum = alpha * at.load(part + r * width + j);
        at.store(c + r * out.ld + j, accumulate ? sum + at.load(c + r * out.ld + j) : sum);
      });
  }
}

#endif

// Rows begin..end of A and the groups first..last of B. Of both, only some
// words of every vector are used at a time, so that they stay in the cache.
void block(const Packed& a, int64_t begin, int64_t end, const Packed& b, int64_t first,
           int64_t last, const Output& out, bool accumulate) {
  // Steps end where squares do.
  const int64_t step = round_up(blocks(a.depth, blocks(a.depth, DEPTH)), LANES);
  for (int64_t p = 0; p < a.depth; p += step) {
    const int64_t depth = min(step, a.depth - p);
#if defined(KERNEL_AMX)
    if (a.bf16) {
      for (int64_t group = first; group < last; group += 2)
        strip_of_tiles(a, begin, end, b, group, min(2, last - group), p, depth, out,
                       accumulate || p > 0);
      continue;
    }
#endif
    for (int64_t group = first; group < last; group += STRIP) {
      const int64_t groups = min(STRIP, last - group);
      (a.bf16 ? STRIPS<true> : STRIPS<false>)[groups - 1](a, begin, end, b, group, p, depth, out,
                                                          accumulate || p > 0);
    }
  }
}

}  // namespace

void multiply(const Product* products, int64_t count, float alpha, bool accumulate, float* c,
              int64_t ldc) {
  // Large blocks fetch less from memory; but there must be enough of them to share.
  const int64_t vectors = products->a.vectors, groups = blocks(products->b.vectors, LANES);
  int64_t rows = JOB_ROWS, width = JOB_STRIPS * STRIP;
  const auto jobs = [&] { return blocks(vectors, rows) * blocks(groups, width); };
  while (jobs() < ENOUGH_JOBS && width > STRIP) width = round_up(width / 2, STRIP);
  while (jobs() < ENOUGH_JOBS && rows > LANES) rows /= 2;
  const int64_t down = blocks(vectors, rows);
  parallel(jobs(), [&](int64_t job) {
    const int64_t begin = job % down * rows, first = job / down * width;
    for (int64_t i = 0; i < count; ++i)
      block(products[i].a, begin, min(vectors, begin + rows), products[i].b, first,
            min(groups, first + width), {c, ldc, alpha}, accumulate || i > 0);
  });
}

void multiply(const Packed& a, const Packed& b, float alpha, bool accumulate, float* c,
              int64_t ldc) {
  const Product product{a, b};
  multiply(&product, 1, alpha, accumulate, c, ldc);
}

void multiply_here(const Packed& a, const Packed& b, float alpha, bool accumulate, float* c,
                   int64_t ldc) {
  block(a, 0, a.vectors, b, 0, blocks(b.vectors, LANES), {c, ldc, alpha}, accumulate);
}

}  // namespace ondevice::KERNEL_ISA
