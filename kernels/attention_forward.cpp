// For a tile of queries, keys are visited a tile at a time. Exponentials are
// relative to the largest score so far; when a larger one comes, what was
// summed before is scaled down. (FlashAttention, Dao et al. 2022.)
#include "attention.h"
#include "attention_tiles.h"

namespace ondevice::KERNEL_ISA {
namespace {

// What is known of each query after some tiles.
struct Running {
  alignas(64) float largest[QUERIES];  // product q·k
  alignas(64) float total[QUERIES];    // of exponentials
  alignas(64) float shrink[QUERIES];   // what sums of earlier tiles are to be multiplied with
};

// Turns the products q·k of a tile, rows of QUERIES floats, into exponentials, and packs
// them as the columns of p: zero for keys that a query does not see.
template <bool BF16, bool WHOLE>
void soften(const QueryTile& queries, const Tile& tile, float scale, float* products,
            Running& running, const Packed& p) {
  constexpr int AT_ONCE = PACKED<BF16>;
  constexpr bool TRANSPOSED = BF16 && HAS_TILES;  // a left side is always by vector there
  const Vec to_power = splat(scale * LOG2_E);
  for (int64_t query = 0; query < tile.queries; query += LANES) {
    const int64_t place = tile.query + query;
    const auto row = [&](int64_t j) { return products + j * QUERIES + query; };
    const auto bound = [&](int64_t j) { return queries.bound(place, tile.key + j); };

    const Vec before = load(running.largest + place);
    Vec largest = before, other = before;
    for (int64_t j = 0; j < tile.keys; ++j) {
      const Vec product = load(row(j));
      Vec& most = j % 2 ? other : largest;
      most = max(most, WHOLE ? product : min(product, bound(j)));
    }
    largest = max(largest, other);
    store(running.largest + place, largest);

    const Vec shift = zero() - largest * to_power;
    Vec total = zero();
    for (int64_t j = 0; j < tile.keys; j += AT_ONCE) {
      Vec e[AT_ONCE];
      UNROLL for (int n = 0; n < AT_ONCE; ++n) {
        if (j + n >= tile.keys) {
          e[n] = zero();
          continue;
        }
        const Vec power = fma(load(row(j + n)), to_power, shift);
        e[n] = power_of_2(WHOLE ? power : min(power, bound(j + n)));
        total = total + e[n];
        if (TRANSPOSED) store(row(j + n), e[n]);
      }
      if (!TRANSPOSED) put_column<BF16>(p, query, j, e);
    }
    const Vec shrink = power_of_2(shift + before * to_power);  // exactly 1 if there is no larger one
    store(running.shrink + place, shrink);
    store(running.total + place, fma(load(running.total + place), shrink, total));
  }
  if (TRANSPOSED) pack_columns_here(products, QUERIES, p);
}

// One tile of queries of one head; k holds rows, v columns, of the head's group.
template <class T>
void attend(const AttentionShape& s, int64_t begin, int64_t head, const T* q, const Packed& k,
            const Packed& v, T* o, float* lse) {
  const QueryTile queries(s, begin);
  const int64_t ld = s.h * s.d, at = begin * ld + head * s.d, sum_ld = round_up(s.d, LANES);
  Buffers buffers(Buffers::packed(2, QUERIES, s.d) + Buffers::packed(2, QUERIES, KEYS));
  const Packed q_rows = buffers.take(plan(Side::RIGHT, QUERIES, s.d, s.bf16));
  pack_queries(q + at, ld, queries.count, q_rows, false);
  float* products = buffers.take(QUERIES * KEYS);
  float* p_words = buffers.take(Buffers::packed(1, QUERIES, KEYS));
  float* sums = buffers.take(QUERIES * sum_ld);

  Running running;
  for (int64_t i = 0; i < QUERIES; ++i) running.largest[i] = -1e30f, running.total[i] = 0;
  memset(sums, 0, size_t(QUERIES * sum_ld) * sizeof(float));
  Tile tile;
  for (int64_t key = queries.start(); key < queries.end(); key += tile.keys) {
    tile = queries.tile(key);
    if (tile.queries == 0) continue;
    multiply_here(vectors(k, key, tile.keys), vectors(q_rows, tile.query, tile.queries),
                  {products, QUERIES});
    Packed p = plan_left_for_columns(tile.queries, tile.keys, s.bf16);
    p.words = p_words;
    const auto how = s.bf16 ? (tile.whole ? soften<true, true> : soften<true, false>)
                            : (tile.whole ? soften<false, true> : soften<false, false>);
    how(queries, tile, s.scale, products, running, p);

    float* rows = sums + tile.query * sum_ld;
    p.vectors = min(tile.queries, queries.count - tile.query);
    for (int64_t i = 0; i < p.vectors; ++i)
      if (const float shrink = running.shrink[tile.query + i]; shrink != 1)
        scale_row(rows + i * sum_ld, s.d, shrink);
    multiply_here(p, entries(v, key, tile.keys), {rows, sum_ld, 1, rows});
  }
  for (int64_t i = 0; i < queries.count; ++i) {
    const Vec share = splat(1 / running.total[i]);
    const float* row = sums + i * sum_ld;
    T* o_i = o + at + i * ld;
    each_vector(s.d, [&](int64_t j, auto lanes) { lanes.store(o_i + j, lanes.load(row + j) * share); });
    lse[head * s.t + begin + i] = s.scale * running.largest[i] + logf(running.total[i]);
  }
}

template <class T>
void forward(const AttentionShape& s, const T* q, const T* k, const T* v, T* o, float* lse) {
  const Packed k_plan = plan(Side::LEFT, s.t, s.d, s.bf16);
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

}  // namespace

void attention_forward(const AttentionShape& s, const Activations& q, const Activations& k,
                       const Activations& v, float* o, uint16_t* o_bf16, float* lse) {
  if (o)
    forward(s, q.f32, k.f32, v.f32, o, lse);
  else
    forward(s, q.bf16, k.bf16, v.bf16, o_bf16, lse);
}

}  // namespace ondevice::KERNEL_ISA
