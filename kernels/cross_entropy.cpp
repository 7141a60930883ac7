// With logits l = h Wᵀ, Z = sum over v of exp(l[v]), p[v] = exp(l[v]) / Z and target t:
//
//   loss = log Z - l[t]
//   dh   = sum over v of p[v] W[v] - W[t]
//        = sum over v other than t of p[v] W[v] - (1 - p[t]) W[t]
//
// The vocabulary is visited a chunk at a time, and only once: exponentials are
// taken relative to the largest logit so far, and when a larger one comes, the
// sums up to then are scaled down. The target is left out of the sums, because
// for a well-predicted token p[t] W[t] - W[t] would cancel to rounding noise.
#include "cross_entropy.h"

#include "dequantize.h"
#include "linear.h"
#include "packed.h"
#include "parallel.h"
#include "rows.h"
#include "workspace.h"

namespace ondevice::KERNEL_ISA {
namespace {

constexpr int64_t CHUNK = 2304;  // rows of the vocabulary at a time: whole jobs of a product
constexpr int64_t TOKENS = 8;    // of one job

// What is known of one token after some chunks.
struct Running {
  float largest;       // of all logits so far
  float others;        // sum over v other than t of exp(l[v] - largest)
  float target_logit;
};

// Turns a token's logits of a chunk into exponentials relative to the largest
// so far. `target` is the target's place in the chunk, if it is there.
void visit(float* logits, int64_t n, int64_t target, Running& token, float* dh, int64_t k) {
  const bool has_target = 0 <= target && target < n;
  if (has_target) token.target_logit = logits[target];
  const float before = token.largest, here = largest_of(logits, n);
  if (here > before) {
    const float shrink = expf(before - here);  // exp(-inf) = 0 the first time
    token.largest = here;
    token.others *= shrink;
    if (dh && shrink < 1) scale_row(dh, k, shrink);
  }
  const Vec largest = splat(token.largest);
  each_vector(n, [&](int64_t i, auto at) {
    at.store(logits + i, exp(at.load(logits + i) - largest));
  });
  if (has_target) logits[target] = 0;
  token.others += sum_of(logits, n);
}

// From sums to the loss, and to the gradient.
void finish(const Running& token, const float* target_row, float weight, int64_t k, float* loss,
            float* dh) {
  const float target = expf(token.target_logit - token.largest), z = token.others + target;
  *loss = logf(z) + token.largest - token.target_logit;
  if (!dh) return;
  const Vec others = splat(weight / z), missing = splat(weight * token.others / z);
  each_vector(k, [&](int64_t j, auto at) {
    at.store(dh + j, at.load(dh + j) * others - at.load(target_row + j) * missing);
  });
}

}  // namespace

void cross_entropy(const Packed& h, const Weight& w, const int32_t* targets, const float* weights,
                   float* loss, float* dh) {
  const int64_t s = h.vectors, k = w.k, jobs = blocks(s, TOKENS);
  float* logits = workspace(Purpose::LOGITS, s * CHUNK);
  float* state = workspace(Purpose::SMALL_TOO, s * int64_t(sizeof(Running) / sizeof(float)));
  Running* running = reinterpret_cast<Running*>(state);
  for (int64_t i = 0; i < s; ++i) running[i] = {-INFINITY, 0, 0};

  for (int64_t v = 0; v < w.n; v += CHUNK) {
    const int64_t n = min(CHUNK, w.n - v);
    const Weight chunk{w.at(v, 0), w.type, n, k};
    linear_forward(h, chunk, {}, nullptr, logits);
    parallel(jobs, [&](int64_t job) {
      for (int64_t i = job * TOKENS; i < min(s, (job + 1) * TOKENS); ++i)
        visit(logits + i * n, n, targets[i] - v, running[i], dh && v ? dh + i * k : nullptr, k);
    });
    if (dh) {
      Packed exponentials = plan(Side::LEFT, s, n, h.bf16);
      exponentials.words = workspace(Purpose::SECOND_INPUT, words(exponentials));
      pack_rows(logits, n, exponentials);
      linear_backward(exponentials, chunk, {}, nullptr, v > 0, dh);
    }
  }

  parallel(jobs, [&](int64_t job) {
    constexpr int64_t PART = 512;
    alignas(64) float target_row[PART];
    for (int64_t i = job * TOKENS; i < min(s, (job + 1) * TOKENS); ++i)
      for (int64_t j = 0; j < k; j += PART) {
        const int64_t n = min(PART, k - j);
        DEQUANTIZERS[w.type](w.at(targets[i], j), n, target_row);
        finish(running[i], target_row, weights ? weights[i] : 1, n, loss + i,
               dh ? dh + i * k + j : nullptr);
      }
  });
}

}  // namespace ondevice::KERNEL_ISA
