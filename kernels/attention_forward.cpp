// For a tile of queries, keys are visited a tile at a time. Exponentials are
// relative to the largest score so far; when a larger one comes, what was
// summed before is scaled down. (FlashAttention, Dao et al. 2022.)
#include "attention.h"
#include "attention_tiles.h"

namespace ondevice::KERNEL_ISA {
namespace {

struct Running { float largest, total; };

// Turns row i of a tile of products q·k [., count] into exponentials, zero for
// keys that i does not see, and corrects what o_i holds so far.
void soften(const AttentionShape& s, int64_t i, int64_t key, int64_t count, float* row,
            Running& so_far, float* o_i, bool has_output) {
  const int64_t begin = max(0, first_key(s, i) - key), end = min(count, i + 1 - key);
  if (begin >= end) {
    memset(row, 0, size_t(count) * sizeof(float));
    return;
  }
  const float here = s.scale * largest_of(row + begin, end - begin);
  if (here > so_far.largest) {
    const float shrink = expf(so_far.largest - here);
    so_far.largest = here;
    so_far.total *= shrink;
    if (has_output) scale_row(o_i, s.d, shrink);
  }
  const Vec scale = splat(s.scale), largest = splat(so_far.largest);
  Vec total = zero();
  each_vector(end - begin, [&](int64_t j, auto at) {
    const Vec e = at.only(exp(scale * at.load(row + begin + j) - largest));
    at.store(row + begin + j, e);
    total = total + e;
  });
  so_far.total += sum(total);
  memset(row, 0, size_t(begin) * sizeof(float));
  memset(row + end, 0, size_t(count - end) * sizeof(float));
}

// One tile of queries of one head; k holds rows, v columns, of the head's group.
void attend(const AttentionShape& s, int64_t begin, int64_t head, const float* q, const Packed& k,
            const Packed& v, float* o, float* lse) {
  const int64_t ld = s.h * s.d, end = min(s.t, begin + QUERIES), count = end - begin;
  Buffers buffers(Buffers::packed(1, QUERIES, s.d) + Buffers::packed(2, QUERIES, KEYS));
  const Packed queries = buffers.take(plan(Side::LEFT, count, s.d, s.bf16));
  pack_rows_here(q + begin * ld + head * s.d, ld, queries);
  float* scores = buffers.take(QUERIES * KEYS);
  float* packed_scores = buffers.take(Buffers::packed(1, QUERIES, KEYS));

  Running running[QUERIES];
  for (Running& r : running) r = {-INFINITY, 0};
  float* o_tile = o + begin * ld + head * s.d;
  const int64_t start = first_tile(s, begin, end);
  for (int64_t key = start; key < end; key += KEYS) {
    const int64_t keys = min(KEYS, end - key);
    multiply_here(queries, vectors(k, key, keys), {scores, keys});
    for (int64_t i = 0; i < count; ++i)
      soften(s, begin + i, key, keys, scores + i * keys, running[i], o_tile + i * ld, key > start);
    Packed p = plan(Side::LEFT, count, keys, s.bf16);
    p.words = packed_scores;
    pack_rows_here(scores, keys, p);
    multiply_here(p, entries(v, key, keys), {o_tile, ld, 1, key > start ? o_tile : nullptr});
  }
  for (int64_t i = 0; i < count; ++i) {
    scale_row(o_tile + i * ld, s.d, 1 / running[i].total);
    lse[head * s.t + begin + i] = running[i].largest + logf(running[i].total);
  }
}

}  // namespace

void attention_forward(const AttentionShape& s, const float* q, const float* k, const float* v,
                       float* o, float* lse) {
  const Packed k_plan = plan(Side::RIGHT, s.t, s.d, s.bf16);
  const Packed v_plan = plan(Side::RIGHT, s.d, s.t, s.bf16);
  const int64_t k_words = words(k_plan), v_words = words(v_plan);
  float* k_packed = workspace(Purpose::INPUT, s.g * k_words);
  float* v_packed = workspace(Purpose::SECOND_INPUT, s.g * v_words);
  const auto keys_of = [&](int64_t group) {
    Packed p = k_plan;
    p.words = k_packed + group * k_words;
    return p;
  };
  const auto values_of = [&](int64_t group) {
    Packed p = v_plan;
    p.words = v_packed + group * v_words;
    return p;
  };
  parallel(2 * s.g, [&](int64_t job) {
    const int64_t group = job / 2;
    if (job % 2)
      pack_rows_here(k + group * s.d, s.g * s.d, keys_of(group));
    else
      pack_columns_here(v + group * s.d, s.g * s.d, values_of(group));
  });
  const int64_t tiles = blocks(s.t, QUERIES);
  parallel(s.h * tiles, [&](int64_t job) {
    // The last tiles see the most keys: they go first.
    const int64_t head = job % s.h, tile = tiles - 1 - job / s.h;
    const int64_t group = head / (s.h / s.g);
    attend(s, tile * QUERIES, head, q, keys_of(group), values_of(group), o, lse);
  });
}

}  // namespace ondevice::KERNEL_ISA
