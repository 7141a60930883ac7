#include "linear.h"

#include "outer.h"
#include "parallel.h"
#include "workspace.h"

namespace ondevice::KERNEL_ISA {
namespace {

// Weights unpacked at a time: 4 MB in bfloat16, well inside a third-level cache.
constexpr int64_t SLAB = 2 << 20;
// Rows of W summed over at a time in the backward pass.
constexpr int64_t SLAB_ROWS = 4096;
// Column blocks begin where blocks of every weight type do.
constexpr int64_t COLUMNS = 256;

Packed in_workspace(Purpose purpose, Packed plan) {
  plan.words = workspace(purpose, words(plan));
  return plan;
}

int64_t total_rank(const Loras& pairs) {
  int64_t rank = 0;
  for (const Lora& pair : pairs) rank += pair.r;
  return rank;
}

// All pairs together are one of their ranks' sum R: z [T, R] times the B (or A) of
// all, side by side. It is multiplied into a block of the result while that is in
// the cache, as if vectors had R entries more.

// z [T, R] = scale * x Aᵀ of every pair, packed.
Packed inner_forward(const Packed& x, const Loras& pairs, int64_t rank) {
  const int64_t t = x.vectors;
  float* z = workspace(Purpose::INNER, t * rank);
  for (const Lora& pair : pairs) {
    const Packed a = in_workspace(Purpose::WEIGHT, plan(Side::RIGHT, pair.r, pair.k, x.bf16));
    pack_rows(pair.a, pair.k, a);
    multiply(x, a, 1, false, pair.xa, pair.r);
    for (int64_t i = 0; i < t; ++i)
      for (int64_t j = 0; j < pair.r; ++j) z[i * rank + j] = pair.scale * pair.xa[i * pair.r + j];
    z += pair.r;
  }
  const Packed inner = in_workspace(Purpose::SMALL, plan(Side::LEFT, t, rank, x.bf16));
  pack_rows(workspace(Purpose::INNER, t * rank), rank, inner);
  return inner;
}

// z [T, R] = scale * dy B of every pair; not packed.
float* inner_backward(const Packed& dy, const Loras& pairs, int64_t rank) {
  float* z = workspace(Purpose::INNER, dy.vectors * rank);
  int64_t offset = 0;
  for (const Lora& pair : pairs) {
    const Packed b = in_workspace(Purpose::WEIGHT, plan(Side::RIGHT, pair.r, pair.n, dy.bf16));
    pack_columns(pair.b, pair.r, b);
    multiply(dy, b, pair.scale, false, z + offset, rank);
    offset += pair.r;
  }
  return z;
}

// The B [N, R] of all pairs side by side, packed by rows.
Packed outer_forward(const Loras& pairs, int64_t n, int64_t rank, bool bf16) {
  float* all = workspace(Purpose::OUTER, n * rank);
  int64_t offset = 0;
  for (const Lora& pair : pairs) {
    for (int64_t i = 0; i < n; ++i)
      memcpy(all + i * rank + offset, pair.b + i * pair.r, size_t(pair.r) * sizeof(float));
    offset += pair.r;
  }
  const Packed outer = in_workspace(Purpose::SECOND_INPUT, plan(Side::RIGHT, n, rank, bf16));
  pack_rows(all, rank, outer);
  return outer;
}

// The A [R, K] of all pairs, one below the other, packed by columns.
Packed outer_backward(const Loras& pairs, int64_t k, int64_t rank, bool bf16) {
  float* all = workspace(Purpose::OUTER, rank * k);
  int64_t offset = 0;
  for (const Lora& pair : pairs) {
    memcpy(all + offset * k, pair.a, size_t(pair.r * k) * sizeof(float));
    offset += pair.r;
  }
  const Packed outer = in_workspace(Purpose::SECOND_INPUT, plan(Side::RIGHT, k, rank, bf16));
  pack_columns(all, k, outer);
  return outer;
}

// dx, if there are pairs with the z of `inner_backward`.
void input_gradient(const Packed& dy, const Weight& w, const Loras& pairs, const float* z,
                    int64_t rank, bool accumulate, float* dx) {
  Product low_rank{};
  if (rank) {
    low_rank.a = in_workspace(Purpose::SMALL, plan(Side::LEFT, dy.vectors, rank, dy.bf16));
    pack_rows(z, rank, low_rank.a);
    low_rank.b = outer_backward(pairs, w.k, rank, dy.bf16);
  }
  // W is dequantized a slab of columns at a time; its vectors are summed over its rows.
  for (int64_t n = 0; n < w.n; n += SLAB_ROWS) {
    const int64_t length = min(SLAB_ROWS, w.n - n);
    const int64_t columns = max(COLUMNS, SLAB / length / COLUMNS * COLUMNS);
    const bool last = n + length == w.n;
    for (int64_t k = 0; k < w.k; k += columns) {
      const int64_t width = min(columns, w.k - k);
      const Packed slab =
          in_workspace(Purpose::WEIGHT, plan(Side::RIGHT, width, length, dy.bf16));
      pack_columns(w.rows(n, n + length), k, slab);
      const Product products[] = {{entries(dy, n, length), slab},
                                  {low_rank.a, vectors(low_rank.b, k, width)}};
      multiply(products, rank && last ? 2 : 1, 1, accumulate || n > 0, dx + k, w.k);
    }
  }
}

}  // namespace

// W is dequantized a slab of rows at a time, once, into packed form; then
// every token is multiplied with it.
void linear_forward(const Packed& x, const Weight& w, const Loras& pairs, bool accumulate,
                    float* y) {
  const int64_t rank = total_rank(pairs);
  Product low_rank{};
  if (rank) low_rank = {inner_forward(x, pairs, rank), outer_forward(pairs, w.n, rank, x.bf16)};
  const int64_t rows = max(64, SLAB / w.k / 64 * 64);
  for (int64_t n = 0; n < w.n; n += rows) {
    const int64_t count = min(rows, w.n - n);
    const Packed slab = in_workspace(Purpose::WEIGHT, plan(Side::RIGHT, count, w.k, x.bf16));
    pack_rows(w, n, slab);
    const Product products[] = {{x, slab}, {low_rank.a, vectors(low_rank.b, n, count)}};
    multiply(products, rank ? 2 : 1, 1, accumulate, y + n, w.n);
  }
}

void linear_backward(const Packed& dy_packed, const float* dy, const Weight& w,
                     const Loras& pairs, const float* x, bool accumulate, float* dx) {
  const int64_t rank = total_rank(pairs), t = dy_packed.vectors;
  bool wants_a = false;
  for (const Lora& pair : pairs) wants_a = wants_a || pair.da;
  const float* z = rank && (dx || wants_a) ? inner_backward(dy_packed, pairs, rank) : nullptr;
  int64_t offset = 0;
  for (const Lora& pair : pairs) {
    // da [R, K] += (scale * dy B)ᵀ x    db [N, R] += scale * dyᵀ (x Aᵀ)
    if (pair.da)
      outer_products(z + offset, rank, x, t, pair.r, pair.k, 1, false, pair.da);
    if (pair.db)
      outer_products(pair.xa, pair.r, dy, t, pair.r, pair.n, pair.scale, true, pair.db);
    offset += pair.r;
  }
  if (dx) input_gradient(dy_packed, w, pairs, z, rank, accumulate, dx);
}

}  // namespace ondevice::KERNEL_ISA
