// R is small, so that laying out the operands for `multiply` would cost more than
// the product: here both are read where they lie, once, in float32.
#include "outer.h"

#include "parallel.h"
#include "rows.h"
#include "workspace.h"

namespace ondevice::KERNEL_ISA {
namespace {

// A tile of sums in registers: RANKS rows of VECTORS vectors.
constexpr int RANKS = LANES == 16 ? 8 : 4, VECTORS = 2;
// Columns of a job, and tokens taken at a time: their part of `right` fits the first-level cache.
constexpr int64_t COLUMNS = 128, TOKENS = 64;

// sums [RANKS, VECTORS * LANES] += leftᵀ right over t tokens.
void tile(const float* left, int64_t ld, const float* right, int64_t k, int64_t t, float* sums,
          int64_t ld_sums) {
  Vec s[RANKS][VECTORS];
  UNROLL for (int i = 0; i < RANKS; ++i)
    UNROLL for (int v = 0; v < VECTORS; ++v) s[i][v] = load(sums + i * ld_sums + v * LANES);
  for (int64_t p = 0; p < t; ++p, left += ld, right += k) {
    Vec row[VECTORS];
    UNROLL for (int v = 0; v < VECTORS; ++v) row[v] = load(right + v * LANES);
    UNROLL for (int i = 0; i < RANKS; ++i) {
      const Vec factor = splat(left[i]);
      UNROLL for (int v = 0; v < VECTORS; ++v) s[i][v] = fma(factor, row[v], s[i][v]);
    }
  }
  UNROLL for (int i = 0; i < RANKS; ++i)
    UNROLL for (int v = 0; v < VECTORS; ++v) store(sums + i * ld_sums + v * LANES, s[i][v]);
}

// The same for any number of ranks and columns.
void edge(const float* left, int64_t ld, const float* right, int64_t k, int64_t t, int64_t ranks,
          int64_t columns, float* sums, int64_t ld_sums) {
  for (int64_t p = 0; p < t; ++p)
    for (int64_t i = 0; i < ranks; ++i) {
      const Vec factor = splat(left[p * ld + i]);
      float* row = sums + i * ld_sums;
      each_vector(columns, [&](int64_t j, auto at) {
        at.store(row + j, fma(factor, at.load(right + p * k + j), at.load(row + j)));
      });
    }
}

}  // namespace

void outer_products(const float* left, int64_t ld, const float* right, int64_t t, int64_t r,
                    int64_t k, float scale, bool transposed, float* out) {
  parallel(blocks(k, COLUMNS), [&](int64_t job) {
    const int64_t first = job * COLUMNS, columns = min(COLUMNS, k - first);
    float* sums = workspace(Purpose::JOB, r * COLUMNS);
    memset(sums, 0, size_t(r * COLUMNS) * sizeof(float));
    for (int64_t p = 0; p < t; p += TOKENS) {
      const int64_t tokens = min(TOKENS, t - p);
      for (int64_t j = 0; j < columns; j += VECTORS * LANES)
        for (int64_t i = 0; i < r; i += RANKS) {
          const float *l = left + p * ld + i, *x = right + p * k + first + j;
          float* s = sums + i * COLUMNS + j;
          if (i + RANKS <= r && j + VECTORS * LANES <= columns)
            tile(l, ld, x, k, tokens, s, COLUMNS);
          else
            edge(l, ld, x, k, tokens, min(RANKS, r - i), min(VECTORS * LANES, columns - j), s,
                 COLUMNS);
        }
    }
    const Vec factor = splat(scale);
    for (int64_t i = 0; i < r; ++i) {
      const float* row = sums + i * COLUMNS;
      if (transposed) {
        for (int64_t j = 0; j < columns; ++j) out[(first + j) * r + i] += scale * row[j];
      } else {
        float* to = out + i * k + first;
        each_vector(columns, [&](int64_t j, auto at) {
          at.store(to + j, fma(factor, at.load(row + j), at.load(to + j)));
        });
      }
    }
  });
}

}  // namespace ondevice::KERNEL_ISA
