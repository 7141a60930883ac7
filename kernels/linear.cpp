#include "linear.h"

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

}  // namespace

// W is dequantized a slab of rows at a time, once, into packed form; then
// every token is multiplied with it.
void linear_forward(const Packed& x, const Weight& w, bool accumulate, float* y) {
  const int64_t rows = max(64, SLAB / w.k / 64 * 64);
  for (int64_t n = 0; n < w.n; n += rows) {
    const Packed slab = in_workspace(Purpose::WEIGHT, 
        plan(Side::RIGHT, min(rows, w.n - n), w.k, x.bf16));
    pack_rows(w, n, slab);
    multiply(x, slab, 1, accumulate, y + n, w.n);
  }
}

// The same over columns: slab vectors are columns of W, summed over its rows.
void linear_backward(const Packed& dy, const Weight& w, bool accumulate, float* dx) {
  for (int64_t n = 0; n < w.n; n += SLAB_ROWS) {
    const int64_t length = min(SLAB_ROWS, w.n - n);
    const int64_t columns = max(COLUMNS, SLAB / length / COLUMNS * COLUMNS);
    const Packed dy_part = entries(dy, n, length);
    for (int64_t k = 0; k < w.k; k += columns) {
      const Packed slab =
          in_workspace(Purpose::WEIGHT, plan(Side::RIGHT, min(columns, w.k - k), length, dy.bf16));
      pack_columns(w.rows(n, n + length), k, slab);
      multiply(dy_part, slab, 1, accumulate || n > 0, dx + k, w.k);
    }
  }
}

void lora_forward(const Packed& x, const Lora& lora, float* xa, float* y) {
  const Packed a = in_workspace(Purpose::WEIGHT, plan(Side::RIGHT, lora.r, lora.k, x.bf16));
  pack_rows(lora.a, lora.k, a);
  multiply(x, a, 1, false, xa, lora.r);

  const Packed inner = in_workspace(Purpose::SMALL, plan(Side::LEFT, x.vectors, lora.r, x.bf16));
  const Packed b = in_workspace(Purpose::WEIGHT, plan(Side::RIGHT, lora.n, lora.r, x.bf16));
  pack_rows(xa, lora.r, inner);
  pack_rows(lora.b, lora.r, b);
  multiply(inner, b, lora.scale, true, y, lora.n);
}

void lora_backward(const Packed& dy_packed, const float* dy, const float* x, const float* xa,
                   const Lora& lora, float* da, float* db, float* dx) {
  const int64_t t = dy_packed.vectors;
  const bool bf16 = dy_packed.bf16;

  if (db) {  // db [N, R] += scale * dyᵀ xa
    const Packed left = in_workspace(Purpose::SECOND_INPUT, plan(Side::LEFT, lora.n, t, bf16));
    const Packed right = in_workspace(Purpose::WEIGHT, plan(Side::RIGHT, lora.r, t, bf16));
    pack_columns(dy, lora.n, left);
    pack_columns(xa, lora.r, right);
    multiply(left, right, lora.scale, true, db, lora.r);
  }
  if (!da && !dx) return;

  // dxa [T, R] = scale * dy B
  float* dxa = workspace(Purpose::SMALL_TOO, t * lora.r);
  const Packed b = in_workspace(Purpose::WEIGHT, plan(Side::RIGHT, lora.r, lora.n, bf16));
  pack_columns(lora.b, lora.r, b);
  multiply(dy_packed, b, lora.scale, false, dxa, lora.r);

  if (da) {  // da [R, K] += dxaᵀ x
    const Packed left = in_workspace(Purpose::SMALL, plan(Side::LEFT, lora.r, t, bf16));
    const Packed right = in_workspace(Purpose::SECOND_INPUT, plan(Side::RIGHT, lora.k, t, bf16));
    pack_columns(dxa, lora.r, left);
    pack_columns(x, lora.k, right);
    multiply(left, right, 1, true, da, lora.k);
  }
  if (dx) {  // dx [T, K] += dxa A
    const Packed left = in_workspace(Purpose::SMALL, plan(Side::LEFT, t, lora.r, bf16));
    const Packed right = in_workspace(Purpose::WEIGHT, plan(Side::RIGHT, lora.k, lora.r, bf16));
    pack_rows(dxa, lora.r, left);
    pack_columns(lora.a, lora.k, right);
    multiply(left, right, 1, true, dx, lora.k);
  }
}

}  // namespace ondevice::KERNEL_ISA
