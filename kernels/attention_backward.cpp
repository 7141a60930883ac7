// With probabilities P = exp(scale * Q Kᵀ - lse), which are computed again
// tile by tile, and delta_i = dO_i · O_i:
//
//   dV = Pᵀ dO      dP = dO Vᵀ      dS = P * (dP - delta)
//   dQ = scale * dS K               dK = scale * dSᵀ Q
//
// A job is a whole query head, so that every sum has one order. Heads of a
// group have a dK and dV each, which are added up at the end.
#include "attention.h"
#include "attention_tiles.h"

namespace ondevice::KERNEL_ISA {
namespace {

// The arrays of one head: pointers to token 0, and floats from token to token.
struct Head {
  const float *d_o, *q, *k, *v, *o, *lse;
  float *dq, *dk, *dv;  // dk, dv: [T, D] of this head
  int64_t ld, ld_kv;
};

// Probabilities and dS of queries begin..end and keys key..key + keys, from
// products p = q·k and dp, in place; zero for keys that are not seen.
void probabilities(const AttentionShape& s, const Head& head, const float* delta, int64_t begin,
                   int64_t end, int64_t key, int64_t keys, float* p, float* dp) {
  const Vec scale = splat(s.scale);
  for (int64_t i = begin; i < end; ++i, p += keys, dp += keys) {
    const int64_t from = max(0, first_key(s, i) - key), to = min(keys, i + 1 - key);
    if (from >= to) {
      memset(p, 0, size_t(keys) * sizeof(float));
      memset(dp, 0, size_t(keys) * sizeof(float));
      continue;
    }
    const Vec lse = splat(head.lse[i]), delta_i = splat(delta[i]);
    each_vector(to - from, [&](int64_t offset, auto at) {
      const int64_t j = from + offset;
      const Vec probability = exp(scale * at.load(p + j) - lse);
      at.store(p + j, probability);
      at.store(dp + j, probability * (at.load(dp + j) - delta_i));
    });
    memset(p, 0, size_t(from) * sizeof(float));
    memset(dp, 0, size_t(from) * sizeof(float));
    memset(p + to, 0, size_t(keys - to) * sizeof(float));
    memset(dp + to, 0, size_t(keys - to) * sizeof(float));
  }
}

void whole_head(const AttentionShape& s, const Head& head) {
  Buffers buffers(Buffers::packed(7, s.t, s.d) + Buffers::packed(6, QUERIES, KEYS) + s.t + 16);
  const auto rows = [&](Side side, const float* x, int64_t ld) {
    const Packed p = buffers.take(plan(side, s.t, s.d, s.bf16));
    pack_rows_here(x, ld, p);
    return p;
  };
  const auto columns = [&](const float* x, int64_t ld) {
    const Packed p = buffers.take(plan(Side::RIGHT, s.d, s.t, s.bf16));
    pack_columns_here(x, ld, p);
    return p;
  };
  const Packed q = rows(Side::LEFT, head.q, head.ld), q_columns = columns(head.q, head.ld);
  const Packed d_o = rows(Side::LEFT, head.d_o, head.ld), d_o_columns = columns(head.d_o, head.ld);
  const Packed k = rows(Side::RIGHT, head.k, head.ld_kv), k_columns = columns(head.k, head.ld_kv);
  const Packed v = rows(Side::RIGHT, head.v, head.ld_kv);
  float* delta = buffers.take(s.t);
  for (int64_t i = 0; i < s.t; ++i)
    delta[i] = dot(head.d_o + i * head.ld, head.o + i * head.ld, s.d);
  float *p = buffers.take(QUERIES * KEYS), *dp = buffers.take(QUERIES * KEYS);
  float* tile_words[3];
  for (float*& w : tile_words) w = buffers.take(Buffers::packed(1, QUERIES, KEYS));

  memset(head.dk, 0, size_t(s.t * s.d) * sizeof(float));
  memset(head.dv, 0, size_t(s.t * s.d) * sizeof(float));
  for (int64_t begin = 0; begin < s.t; begin += QUERIES) {
    const int64_t end = min(s.t, begin + QUERIES), count = end - begin;
    const int64_t start = first_tile(s, begin, end);
    for (int64_t key = start; key < end; key += KEYS) {
      const int64_t keys = min(KEYS, end - key);
      multiply_here(vectors(q, begin, count), vectors(k, key, keys), 1, false, p, keys);
      multiply_here(vectors(d_o, begin, count), vectors(v, key, keys), 1, false, dp, keys);
      probabilities(s, head, delta, begin, end, key, keys, p, dp);

      Packed p_columns = plan(Side::LEFT, keys, count, s.bf16), ds_columns = p_columns;
      Packed ds = plan(Side::LEFT, count, keys, s.bf16);
      p_columns.words = tile_words[0];
      ds_columns.words = tile_words[1];
      ds.words = tile_words[2];
      pack_columns_here(p, keys, p_columns);
      pack_columns_here(dp, keys, ds_columns);
      pack_rows_here(dp, keys, ds);
      multiply_here(p_columns, entries(d_o_columns, begin, count), 1, true, head.dv + key * s.d,
                    s.d);
      multiply_here(ds_columns, entries(q_columns, begin, count), s.scale, true,
                    head.dk + key * s.d, s.d);
      multiply_here(ds, entries(k_columns, key, keys), s.scale, key > start,
                    head.dq + begin * head.ld, head.ld);
    }
  }
}

}  // namespace

void attention_backward(const AttentionShape& s, const float* d_o, const float* q, const float* k,
                        const float* v, const float* o, const float* lse, float* dq, float* dk,
                        float* dv) {
  const int64_t one = s.t * s.d, shared = s.h / s.g;
  float* dk_heads = workspace(Purpose::INPUT, s.h * one);
  float* dv_heads = workspace(Purpose::SECOND_INPUT, s.h * one);
  parallel(s.h, [&](int64_t h) {
    const int64_t at = h * s.d, at_kv = h / shared * s.d;
    whole_head(s, {d_o + at, q + at, k + at_kv, v + at_kv, o + at, lse + h * s.t, dq + at,
                   dk_heads + h * one, dv_heads + h * one, s.h * s.d, s.g * s.d});
  });
  parallel(blocks(s.t, 16), [&](int64_t job) {
    for (int64_t i = job * 16; i < min(s.t, job * 16 + 16); ++i)
      for (int64_t g = 0; g < s.g; ++g)
        each_vector(s.d, [&](int64_t j, auto at) {
          Vec dk_sum = zero(), dv_sum = zero();
          for (int64_t h = g * shared; h < (g + 1) * shared; ++h) {
            dk_sum = dk_sum + at.load(dk_heads + h * one + i * s.d + j);
            dv_sum = dv_sum + at.load(dv_heads + h * one + i * s.d + j);
          }
          at.store(dk + (i * s.g + g) * s.d + j, dk_sum);
          at.store(dv + (i * s.g + g) * s.d + j, dv_sum);
        });
  });
}

}  // namespace ondevice::KERNEL_ISA
