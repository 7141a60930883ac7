#include "linear.h"

#include "outer.h"
#include "parallel.h"
#include "rows.h"
#include "workspace.h"

namespace ondevice::KERNEL_ISA {
namespace {

Packed in_workspace(Purpose purpose, Packed plan) {
  plan.words = workspace(purpose, words(plan));
  return plan;
}

// ---- the frozen matrix -----------------------------------------------------
//
// A job takes some vectors of W, rows or columns: it dequantizes them into packed form,
// a part of their length at a time, and multiplies all tokens with that while it is in
// the cache. So every weight is dequantized once, by the processor that needs it.

constexpr int64_t LENGTH = 1024;        // entries of the vectors at a time
constexpr int64_t FEWEST_TOKENS = 128;  // that are worth dequantizing for

// How the result is cut into jobs: `width` vectors of W, and `tokens`. One entry of the
// sums, whatever the cut, is added up in one order.
struct Cut {
  int64_t width, tokens;
};

// The width, of whole blocks of W, that keeps the threads busy for the shortest time. Wide
// jobs fetch the tokens less often.
Cut cut(int64_t vectors, int64_t t, int64_t block) {
  const int64_t workers = threads();
  int64_t width = max(192, block), tokens = t;
  const auto longest = [&](int64_t width) { return blocks(blocks(vectors, width), workers) * width; };
  constexpr int64_t SMALLER[] = {144, 96, 48};
  for (const int64_t smaller : SMALLER)
    if (smaller % block == 0 && longest(smaller) < longest(width)) width = smaller;
  while (blocks(vectors, width) * blocks(t, tokens) < workers && tokens >= 2 * FEWEST_TOKENS)
    tokens = round_up(blocks(tokens, 2), LANES);
  return {width, tokens};
}

// c [T, vectors] = plus + x times `n` vectors of W, each `length` long, + inner times outer.
// pack(first, from, part) packs the vectors from `first` on, and of these the entries from
// `from` on; outer_of(first, count) gives the right side of the low-rank product, if `inner`
// has words. If c is null, sums are made aside and rounded to c_bf16.
template <class PackWeights, class OuterOf>
void products(const Packed& x, int64_t n, int64_t block, const Packed& inner,
              const PackWeights& pack, const OuterOf& outer_of, const float* plus, float* c,
              uint16_t* c_bf16 = nullptr) {
  const Cut job_size = cut(n, x.vectors, block);
  const int64_t down = blocks(x.vectors, job_size.tokens);
  parallel(down * blocks(n, job_size.width), [&](int64_t job) {
    const int64_t token = job % down * job_size.tokens, first = job / down * job_size.width;
    const int64_t count = min(job_size.width, n - first);
    const int64_t tokens = min(job_size.tokens, x.vectors - token), at = token * n + first;
    const Packed left = vectors(x, token, tokens);
    const int64_t ld = c ? n : round_up(count, LANES);
    float* sums = c ? c + at : workspace(Purpose::RESULT, tokens * ld);
    const float* before = plus ? plus + at : nullptr;
    for (int64_t from = 0; from < x.length; from += LENGTH) {
      const int64_t length = min(LENGTH, x.length - from);
      const Packed part = in_workspace(Purpose::WEIGHT, plan(Side::RIGHT, count, length, x.bf16));
      pack(first, from, part);
      multiply_here(entries(left, from, length), part, {sums, ld, 1, before});
      before = sums;
    }
    if (inner.words)
      multiply_here(vectors(inner, token, tokens), outer_of(first, count), {sums, ld, 1, before});
    for (int64_t i = 0; !c && i < tokens; ++i) round_row(sums + i * ld, count, c_bf16 + at + i * n);
  });
}

// ---- low-rank pairs --------------------------------------------------------
//
// All pairs together are one of their ranks' sum R: z [T, R] times the B (or A) of
// all, side by side.

int64_t total_rank(const Loras& pairs) {
  int64_t rank = 0;
  for (const Lora& pair : pairs) rank += pair.r;
  return rank;
}

Packed packed_inner(const float* z, int64_t t, int64_t rank, bool bf16) {
  const Packed inner = in_workspace(Purpose::SMALL, plan(Side::LEFT, t, rank, bf16));
  pack_rows(z, rank, inner);
  return inner;
}

// z [T, R] = scale * x Aᵀ of every pair, packed.
Packed inner_forward(const Packed& x, const Loras& pairs, int64_t rank) {
  const int64_t t = x.vectors;
  float* z = workspace(Purpose::INNER, t * rank);
  int64_t offset = 0;
  for (const Lora& pair : pairs) {
    const Packed a = in_workspace(Purpose::WEIGHT, plan(Side::RIGHT, pair.r, pair.k, x.bf16));
    pack_rows(pair.a, pair.k, a);
    multiply(x, a, {pair.xa, pair.r});
    for (int64_t i = 0; i < t; ++i)
      for (int64_t j = 0; j < pair.r; ++j)
        z[i * rank + offset + j] = pair.scale * pair.xa[i * pair.r + j];
    offset += pair.r;
  }
  return packed_inner(z, t, rank, x.bf16);
}

// z [T, R] = scale * dy B of every pair; not packed.
float* inner_backward(const Packed& dy, const Loras& pairs, int64_t rank) {
  float* z = workspace(Purpose::INNER, dy.vectors * rank);
  int64_t offset = 0;
  for (const Lora& pair : pairs) {
    const Packed b = in_workspace(Purpose::WEIGHT, plan(Side::RIGHT, pair.r, pair.n, dy.bf16));
    pack_columns(pair.b, pair.r, b);
    multiply(dy, b, {z + offset, rank, pair.scale});
    offset += pair.r;
  }
  return z;
}

// The rows first..first + count of the B [N, R] of all pairs side by side.
Packed outer_forward(const Loras& pairs, int64_t first, int64_t count, int64_t rank, bool bf16) {
  float* all = workspace(Purpose::OUTER, count * rank);
  int64_t offset = 0;
  for (const Lora& pair : pairs) {
    for (int64_t i = 0; i < count; ++i)
      memcpy(all + i * rank + offset, pair.b + (first + i) * pair.r, size_t(pair.r) * sizeof(float));
    offset += pair.r;
  }
  const Packed outer = in_workspace(Purpose::JOB, plan(Side::RIGHT, count, rank, bf16));
  pack_rows_here(all, rank, outer);
  return outer;
}

// The columns first..first + count of the A [R, K] of all pairs, one below the other.
Packed outer_backward(const Loras& pairs, int64_t first, int64_t count, int64_t rank, bool bf16) {
  float *all = workspace(Purpose::OUTER, rank * count), *to = all;
  for (const Lora& pair : pairs)
    for (int64_t i = 0; i < pair.r; ++i, to += count)
      memcpy(to, pair.a + i * pair.k + first, size_t(count) * sizeof(float));
  const Packed outer = in_workspace(Purpose::JOB, plan(Side::RIGHT, count, rank, bf16));
  pack_columns_here(all, count, outer);
  return outer;
}

}  // namespace

void linear_forward(const Packed& x, const Weight& w, const Loras& pairs, const float* plus,
                    float* y, uint16_t* y_bf16) {
  const int64_t rank = total_rank(pairs);
  const Packed inner = rank ? inner_forward(x, pairs, rank) : Packed{};
  products(
      x, w.n, 1, inner,
      [&](int64_t row, int64_t from, const Packed& part) { pack_rows_here(w, row, from, part); },
      [&](int64_t row, int64_t count) { return outer_forward(pairs, row, count, rank, x.bf16); },
      plus, y, y_bf16);
}

void linear_backward(const Packed& dy, const Weight& w, const Loras& pairs, const Packed* x,
                     bool accumulate, float* dx) {
  const int64_t rank = total_rank(pairs);
  bool wants_a = false;
  for (const Lora& pair : pairs) wants_a = wants_a || pair.da;
  const float* z = rank && (dx || wants_a) ? inner_backward(dy, pairs, rank) : nullptr;
  int64_t offset = 0;
  for (const Lora& pair : pairs) {
    // da [R, K] += (scale * dy B)ᵀ x    db [N, R] += scale * dyᵀ (x Aᵀ)
    if (pair.da) outer_products(z + offset, rank, pair.r, *x, 1, false, pair.da);
    if (pair.db) outer_products(pair.xa, pair.r, pair.r, dy, pair.scale, true, pair.db);
    offset += pair.r;
  }
  if (!dx) return;
  const Packed inner = rank ? packed_inner(z, dy.vectors, rank, dy.bf16) : Packed{};
  products(
      dy, w.k, w.block_values(), inner,
      [&](int64_t column, int64_t from, const Packed& part) {
        pack_columns_here(w, from, column, part);
      },
      [&](int64_t column, int64_t count) {
        return outer_backward(pairs, column, count, rank, dy.bf16);
      },
      accumulate ? dx : nullptr, dx);
}

}  // namespace ondevice::KERNEL_ISA
