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
template <class T>
struct Head {
  const float *d_o, *lse;
  const T *q, *o;
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

// Probabilities and dS of a tile, packed for the products that follow: rows have a key each.
struct Packings {
  Packed p, ds, ds_columns;
};

// From the products q·k and dO·v of a tile, rows of QUERIES floats; zero for keys that a
// query does not see. `lse` is for powers of 2.
template <bool BF16, bool WHOLE>
void differentiate(const QueryTile& queries, const Tile& tile, float scale, const float* lse,
                   const float* delta, const float* products, float* dp, const Packings& to) {
  constexpr int AT_ONCE = PACKED<BF16>;
  constexpr bool TRANSPOSED = BF16 && HAS_TILES;  // a left side is always by vector there
  const Vec to_power = splat(scale * LOG2_E);
  for (int64_t j = 0; j < tile.keys; j += AT_ONCE)
    for (int64_t query = 0; query < tile.queries; query += AT_ONCE * LANES) {
      Vec p[AT_ONCE][AT_ONCE], ds[AT_ONCE][AT_ONCE];  // [key][query]
      UNROLL for (int n = 0; n < AT_ONCE; ++n)
        UNROLL for (int m = 0; m < AT_ONCE; ++m) {
          const int64_t place = tile.query + query + m * LANES;
          const int64_t at = (j + n) * QUERIES + query + m * LANES;
          if (j + n >= tile.keys) {
            p[n][m] = ds[n][m] = zero();
            continue;
          }
          const Vec power = fma(load(products + at), to_power, zero() - load(lse + place));
          p[n][m] = power_of_2(WHOLE ? power : min(power, queries.bound(place, tile.key + j + n)));
          ds[n][m] = p[n][m] * (load(dp + at) - load(delta + place));
          if (TRANSPOSED) store(dp + at, ds[n][m]);
        }
      UNROLL for (int n = 0; n < AT_ONCE; ++n) {
        if (j + n >= tile.keys) break;
        put_row<BF16>(to.p, j + n, query, p[n]);
        put_row<BF16>(to.ds, j + n, query, ds[n]);
      }
      if (TRANSPOSED) continue;
      UNROLL for (int m = 0; m < AT_ONCE; ++m) {
        Vec column[AT_ONCE];
        UNROLL for (int n = 0; n < AT_ONCE; ++n) column[n] = ds[n][m];
        put_column<BF16>(to.ds_columns, query + m * LANES, j, column);
      }
    }
  if (TRANSPOSED) pack_columns_here(dp, QUERIES, to.ds_columns);
}

// Adds what the queries begin.. of one head contribute.
template <class T>
void query_tile(const AttentionShape& s, const Head<T>& head, const Shared& shared, int64_t begin,
                const Sums& sums) {
  const QueryTile queries(s, begin);
  const int64_t at = begin * head.ld;
  Buffers buffers(Buffers::packed(4, QUERIES, s.d) + Buffers::packed(5, QUERIES, KEYS));
  const auto packed = [&](const auto* x, bool columns) {
    const Packed p = buffers.take(columns ? plan(Side::RIGHT, s.d, QUERIES, s.bf16)
                                          : plan(Side::RIGHT, QUERIES, s.d, s.bf16));
    pack_queries(x + at, head.ld, queries.count, p, columns);
    return p;
  };
  const Packed q = packed(head.q, false), q_columns = packed(head.q, true);
  const Packed d_o = packed(head.d_o, false), d_o_columns = packed(head.d_o, true);
  alignas(64) float delta[QUERIES] = {}, lse[QUERIES] = {};
  for (int64_t i = 0; i < queries.count; ++i) {
    delta[i] = dot(head.d_o + at + i * head.ld, head.o + at + i * head.ld, s.d);
    lse[i] = head.lse[begin + i] * LOG2_E;
    memset(head.dq + at + i * head.ld, 0, size_t(s.d) * sizeof(float));
  }
  float *products = buffers.take(QUERIES * KEYS), *dp = buffers.take(QUERIES * KEYS);
  float* tile_words[3];
  for (float*& w : tile_words) w = buffers.take(Buffers::packed(1, QUERIES, KEYS));

  Tile tile;
  for (int64_t key = queries.start(); key < queries.end(); key += tile.keys) {
    tile = queries.tile(key);
    if (tile.queries == 0) continue;
    multiply_here(vectors(shared.k, key, tile.keys), vectors(q, tile.query, tile.queries),
                  {products, QUERIES});
    multiply_here(vectors(shared.v, key, tile.keys), vectors(d_o, tile.query, tile.queries),
                  {dp, QUERIES});
    Packings packings{plan(Side::LEFT, tile.keys, tile.queries, s.bf16), {},
                      plan_left_for_columns(tile.queries, tile.keys, s.bf16)};
    packings.ds = packings.p;
    packings.p.words = tile_words[0];
    packings.ds.words = tile_words[1];
    packings.ds_columns.words = tile_words[2];
    const auto how = s.bf16 ? (tile.whole ? differentiate<true, true> : differentiate<true, false>)
                            : (tile.whole ? differentiate<false, true> : differentiate<false, false>);
    how(queries, tile, s.scale, lse, delta, products, dp, packings);

    float *dv = sums.dv + key * s.d, *dk = sums.dk + key * s.d;
    float* dq = head.dq + at + tile.query * head.ld;
    multiply_here(packings.p, entries(d_o_columns, tile.query, tile.queries), {dv, s.d, 1, dv});
    multiply_here(packings.ds, entries(q_columns, tile.query, tile.queries), {dk, s.d, s.scale, dk});
    packings.ds_columns.vectors = min(tile.queries, queries.count - tile.query);
    multiply_here(packings.ds_columns, entries(shared.k_columns, key, tile.keys),
                  {dq, head.ld, s.scale, dq});
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
  template <class T>
  SharedOfGroups(const AttentionShape& s, const T* k, const T* v)
      : rows(plan(Side::LEFT, s.t, s.d, s.bf16)), columns(plan(Side::RIGHT, s.d, s.t, s.bf16)) {
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

template <class T>
void backward(const AttentionShape& s, const float* d_o, const T* q, const T* k, const T* v,
              const T* o, const float* lse, float* dq, float* dk, float* dv) {
  const SharedOfGroups packed(s, k, v);
  const int64_t one = s.t * s.d, heads = s.h / s.g, tiles = blocks(s.t, QUERIES);
  const int64_t parts = min(tiles, blocks(ENOUGH_JOBS, s.g));
  float* sums = workspace(Purpose::SECOND_INPUT, 2 * s.g * parts * one);
  const auto sums_of = [&](int64_t group, int64_t part) {
    float* at = sums + 2 * (group * parts + part) * one;
    return Sums{at, at + one};
  };
  parallel(s.g * parts, [&](int64_t job) {
    const int64_t group = job % s.g, part = parts - 1 - job / s.g;  // the first have the least
    const Sums to = sums_of(group, part);
    memset(to.dk, 0, size_t(2 * one) * sizeof(float));
    for (int64_t h = group * heads; h < (group + 1) * heads; ++h) {
      const int64_t at = h * s.d;
      const Head<T> head{d_o + at, lse + h * s.t, q + at, o + at, dq + at, s.h * s.d};
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

}  // namespace

void attention_backward(const AttentionShape& s, const float* d_o, const Activations& q,
                        const Activations& k, const Activations& v, const Activations& o,
                        const float* lse, float* dq, float* dk, float* dv) {
  if (q.f32)
    backward(s, d_o, q.f32, k.f32, v.f32, o.f32, lse, dq, dk, dv);
  else
    backward(s, d_o, q.bf16, k.bf16, v.bf16, o.bf16, lse, dq, dk, dv);
}

}  // namespace ondevice::KERNEL_ISA
