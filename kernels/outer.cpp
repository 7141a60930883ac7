// R is small, so that packing `right` by columns for `multiply` would cost more than the
// product. But its squares hold, packed by rows, what a column tile needs of LANES tokens.
#include "outer.h"

#include "parallel.h"
#include "workspace.h"

namespace ondevice::KERNEL_ISA {
namespace {

// A square of `right` has a row of one vector for each token, in bfloat16 two.
template <bool BF16> constexpr int VECTORS = BF16 ? 2 : 1;
template <bool BF16> constexpr int RANKS = LANES / VECTORS<BF16>;  // of a tile of sums in registers

// sums [RANKS, VECTORS * LANES] over all tokens, for the columns of one square; left has
// the words of a group of ranks, from the first rank of the tile on.
template <bool BF16>
void tile(const float* left, const float* square, int64_t next_square, int64_t t, float* sums) {
  constexpr int V = VECTORS<BF16>, R = RANKS<BF16>;
  Vec s[R][V];
  UNROLL for (int i = 0; i < R; ++i)
    UNROLL for (int v = 0; v < V; ++v) s[i][v] = zero();
  for (int64_t token = 0; token < t; token += LANES, square += next_square) {
    const int64_t count = min(LANES, t - token);
    for (int64_t i = 0; i < count; i += V, left += LANES) {  // a word of left has V tokens
      Vec row[V];
      row[0] = load(square + i * LANES);
      if constexpr (BF16) pair_up_bf16(row[0], load(square + (i + 1) * LANES), row[0], row[1]);
      UNROLL for (int j = 0; j < R; ++j) {
        const Vec factor = splat(left[j]);
        UNROLL for (int v = 0; v < V; ++v)
          s[j][v] = BF16 ? fma_bf16(factor, row[v], s[j][v]) : fma(factor, row[v], s[j][v]);
      }
    }
  }
  UNROLL for (int i = 0; i < R; ++i)
    UNROLL for (int v = 0; v < V; ++v) store(sums + (i * V + v) * LANES, s[i][v]);
}

}  // namespace

void outer_products(const float* left, int64_t ld, int64_t r, const Packed& right, float scale,
                    bool transposed, float* out) {
  const int64_t t = right.vectors, k = right.length, columns = right.bf16 ? 2 * LANES : LANES;
  const int64_t ranks = right.bf16 ? RANKS<true> : RANKS<false>;
  const auto sum = right.bf16 ? tile<true> : tile<false>;
  Packed factors = plan(Side::RIGHT, r, t, right.bf16);
  factors.words = workspace(Purpose::WEIGHT, words(factors));
  pack_columns(left, ld, factors);

  constexpr int64_t SQUARES = 2;  // of a job
  parallel(blocks(blocks(k, columns), SQUARES), [&](int64_t job) {
    alignas(64) float sums[LANES * LANES];
    const int64_t end = min(k, (job + 1) * SQUARES * columns);
    for (int64_t first = job * SQUARES * columns; first < end; first += columns)
      for (int64_t rank = 0; rank < r; rank += ranks) {
        const float* group = factors.words + rank / LANES * factors.stride * LANES + rank % LANES;
        sum(group, right.words + first / columns * LANES * LANES, right.stride * LANES, t, sums);
        const int64_t width = min(columns, k - first);
        for (int64_t i = 0; i < min(ranks, r - rank); ++i) {
          const float* row = sums + i * columns;
          if (transposed)
            for (int64_t j = 0; j < width; ++j) out[(first + j) * r + rank + i] += scale * row[j];
          else
            for (int64_t j = 0; j < width; ++j) out[(rank + i) * k + first + j] += scale * row[j];
        }
      }
  });
}

}  // namespace ondevice::KERNEL_ISA
