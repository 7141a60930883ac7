// With probabilities P = exp(scale * Q Kᵀ - lse), which are computed again
// tile by tile, and delta_i = dO_i · O_i:
//
//   dV = Pᵀ dO      dP = dO Vᵀ      dS = P * (dP - delta)
//   dQ = scale * dS K               dK = scale * dSᵀ Q
//
// A job is a part of the query tiles, of all heads that share keys and values. Every
// part has a dK and dV of its own, so that every sum has one order; they are added up
// at the end.
#include "attention.h"
#include "attention_tiles.h"

namespace ondevice::KERNEL_ISA {
namespace {

constexpr int64_t ENOUGH_JOBS = 12;

// The arrays of one query head, at token 0, with ld floats from token to token.
struct Head {
  const float *d_o, *q, *o, *lse;
  float* dq;
  int64_t ld;
};

// The keys and values that some heads share, packed for three products.
struct Shared {
  Packed k, v, k_columns;
};

// Where one job adds up, each [T, D].
struct Sums {
  float *dk, *dv;
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
    const Vec lse = splat(head.lse[i]), delta_i = splat(delta[i - begin]);
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

// Adds what the queries begin..begin + QUERIES of one head contribute.
void query_tile(const AttentionShape& s, const Head& head, const Shared& shared, int64_t begin,
                const Sums& sums) {
  const int64_t end = min(s.t, begin + QUERIES), count = end - begin, at = begin * head.ld;
  Buffers buffers(Buffers::packed(4, QUERIES, s.d) + Buffers::packed(5, QUERIES, KEYS));
  const auto rows = [&](const float* x) {
    const Packed p = buffers.take(plan(Side::LEFT, count, s.d, s.bf16));
    pack_rows_here(x, head.ld, p);
    return p;
  };
  const auto columns = [&](const float* x) {
    const Packed p = buffers.take(plan(Side::RIGHT, s.d, count, s.bf16));
    pack_columns_here(x, head.ld, p);
    return p;
  };
  const Packed q = rows(head.q + at), q_columns = columns(head.q + at);
  const Packed d_o = rows(head.d_o + at), d_o_columns = columns(head.d_o + at);
  float delta[QUERIES];
  for (int64_t i = 0; i < count; ++i)
    delta[i] = dot(head.d_o + at + i * head.ld, head.o + at + i * head.ld, s.d);
  float *p = buffers.take(QUERIES * KEYS), *dp = buffers.take(QUERIES * KEYS);
  float* tile_words[3];
  for (float*& w : tile_words) w = buffers.take(Buffers::packed(1, QUERIES, KEYS));

  const int64_t start = first_tile(s, begin, end);
  for (int64_t key = start; key < end; key += KEYS) {
    const int64_t keys = min(KEYS, end - key);
    multiply_here(q, vectors(shared.k, key, keys), {p, keys});
    multiply_here(d_o, vectors(shared.v, key, keys), {dp, keys});
    probabilities(s, head, delta, begin, end, key, keys, p, dp);

    Packed p_columns = plan_left_for_columns(keys, count, s.bf16), ds_columns = p_columns;
    Packed ds = plan(Side::LEFT, count, keys, s.bf16);
    p_columns.words = tile_words[0];
    ds_columns.words = tile_words[1];
    ds.words = tile_words[2];
    pack_columns_here(p, keys, p_columns);
    pack_columns_here(dp, keys, ds_columns);
    pack_rows_here(dp, keys, ds);
    float *dv = sums.dv + key * s.d, *dk = sums.dk + key * s.d, *dq = head.dq + at;
    multiply_here(p_columns, d_o_columns, {dv, s.d, 1, dv});
    multiply_here(ds_columns, q_columns, {dk, s.d, s.scale, dk});
    multiply_here(ds, entries(shared.k_columns, key, keys),
                  {dq, head.ld, s.scale, key > start ? dq : nullptr});
  }
}

// Whether a tile, counted from the last, which sees the most keys, falls to a part: they
// are dealt out to and fro.
bool belongs(int64_t tile, int64_t part, int64_t parts) {
  const int64_t place = tile % parts;
  return part == (tile / parts % 2 ? parts - 1 - place : place);
}

// The keys and values of every group, packed in workspaces.
class SharedOfGroups {
 public:
  SharedOfGroups(const AttentionShape& s, const float* k, const float* v)
      : rows(plan(Side::RIGHT, s.t, s.d, s.bf16)), columns(plan(Side::RIGHT, s.d, s.t, s.bf16)) {
    each = 2 * words(rows) + words(columns);
    memory = workspace(Purpose::INPUT, s.g * each);
    const int64_t ld = s.g * s.d;
    parallel(3 * s.g, [&](int64_t job) {
      const int64_t g = job / 3;
      const Shared to = group(g);
      if (job % 3 == 0) pack_rows_here(k + g * s.d, ld, to.k);
      if (job % 3 == 1) pack_rows_here(v + g * s.d, ld, to.v);
      if (job % 3 == 2) pack_columns_here(k + g * s.d, ld, to.k_columns);
    });
  }
  Shared group(int64_t g) const {
    Shared shared{rows, rows, columns};
    shared.k.words = memory + g * each;
    shared.v.words = shared.k.words + words(rows);
    shared.k_columns.words = shared.v.words + words(rows);
    return shared;
  }

 private:
  Packed rows, columns;
  int64_t each;
  float* memory;
};

}  // namespace

void attention_backward(const AttentionShape& s, const float* d_o, const float* q, const float* k,
                        const float* v, const float* o, const float* lse, float* dq, float* dk,
                        float* dv) {
  const SharedOfGroups packed(s, k, v);
  const int64_t one = s.t * s.d, heads = s.h / s.g, tiles = blocks(s.t, QUERIES);
  const int64_t parts = min(tiles, blocks(ENOUGH_JOBS, s.g));
  float* sums = workspace(Purpose::SECOND_INPUT, 2 * s.g * parts * one);
  const auto sums_of = [&](int64_t group, int64_t part) {
    float* at = sums + 2 * (group * parts + part) * one;
    return Sums{at, at + one};
  };
  parallel(s.g * parts, [&](int64_t job) {
    const int64_t group = job % s.g, part = job / s.g;
    const Sums to = sums_of(group, part);
    memset(to.dk, 0, size_t(2 * one) * sizeof(float));
    for (int64_t h = group * heads; h < (group + 1) * heads; ++h) {
      const int64_t at = h * s.d;
      const Head head{d_o + at, q + at, o + at, lse + h * s.t, dq + at, s.h * s.d};
      for (int64_t tile = 0; tile < tiles; ++tile)
        if (belongs(tile, part, parts))
          query_tile(s, head, packed.group(group), (tiles - 1 - tile) * QUERIES, to);
    }
  });
  parallel(blocks(s.t, 16), [&](int64_t job) {
    for (int64_t i = job * 16; i < min(s.t, job * 16 + 16); ++i)
      for (int64_t g = 0; g < s.g; ++g)
        each_vector(s.d, [&](int64_t j, auto at) {
          Vec dk_sum = zero(), dv_sum = zero();
          for (int64_t part = 0; part < parts; ++part) {
            const Sums from = sums_of(g, part);
            dk_sum = dk_sum + at.load(from.dk + i * s.d + j);
            dv_sum = dv_sum + at.load(from.dv + i * s.d + j);
          }
          at.store(dk + (i * s.g + g) * s.d + j, dk_sum);
          at.store(dv + (i * s.g + g) * s.d + j, dv_sum);
        });
  });
}

}  // namespace ondevice::KERNEL_ISA
