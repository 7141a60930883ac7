// The matrix product, from the inside out:
//
//   tile    ROWS vectors of A times STRIP groups of B, accumulated in registers
//   block   one strip of B that stays in the first-level cache, against many tiles
//   jobs    the blocks of C
#include "packed.h"
#include "parallel.h"

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

#ifndef KDEPTH
#define KDEPTH 256
#define KJROWS 128
#endif
constexpr int64_t DEPTH = KDEPTH;      // words of a strip in the first-level cache
constexpr int64_t JOB_ROWS = KJROWS;  // vectors of A that a job takes

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

// Rows begin..end of A, `begin` a multiple of ROWS, against GROUPS groups of B.
template <bool BF16, int GROUPS>
void block(const Packed& a, int64_t begin, int64_t end, const Packed& b, int64_t group,
           const Output& out, bool accumulate) {
  const int64_t steps = blocks(a.depth, DEPTH), step = blocks(a.depth, steps > 0 ? steps : 1);
  const int64_t columns = b.vectors - group * LANES;
  for (int64_t p = 0; p < a.depth; p += step) {
    const int64_t depth = min(step, a.depth - p);
    for (int64_t i = begin; i < end; i += ROWS) {
      const Output here{out.c + i * out.ld + group * LANES, out.ld, out.alpha};
      tile<BF16, GROUPS>(a.words + (i / LANES * a.stride + p) * LANES + i % LANES,
                         b.words + (group * b.stride + p) * LANES, b.stride * LANES, depth, here,
                         end - i, columns, accumulate || p > 0);
    }
  }
}

using Block = void (*)(const Packed&, int64_t, int64_t, const Packed&, int64_t, const Output&, bool);

template <bool BF16>
constexpr Block BLOCKS[] = {block<BF16, 1>, block<BF16, 2>, block<BF16, 3>, block<BF16, 4>};

void any_block(const Packed& a, int64_t begin, int64_t end, const Packed& b, int64_t group,
               const Output& out, bool accumulate) {
  const int64_t groups = min(STRIP, blocks(b.vectors, LANES) - group);
  (a.bf16 ? BLOCKS<true> : BLOCKS<false>)[groups - 1](a, begin, end, b, group, out, accumulate);
}

}  // namespace

void multiply(const Packed& a, const Packed& b, float alpha, bool accumulate, float* c,
              int64_t ldc) {
  const int64_t strips = blocks(b.vectors, STRIP * LANES);
  const int64_t down = blocks(a.vectors, JOB_ROWS);
  const Output out{c, ldc, alpha};
  parallel(strips * down, [&](int64_t job) {
    const int64_t begin = job % down * JOB_ROWS;
    any_block(a, begin, min(a.vectors, begin + JOB_ROWS), b, job / down * STRIP, out, accumulate);
  });
}

void multiply_here(const Packed& a, const Packed& b, float alpha, bool accumulate, float* c,
                   int64_t ldc) {
  for (int64_t group = 0; group < blocks(b.vectors, LANES); group += STRIP)
    any_block(a, 0, a.vectors, b, group, {c, ldc, alpha}, accumulate);
}

}  // namespace ondevice::KERNEL_ISA
