// What the forward and the backward pass of attention share: tiles of scores.
//
// Scores are computed with a row for each key and a column for each query, so that what
// belongs to a query (its largest score, their sum, which keys it sees) is a lane of a vector.
#pragma once

#include "packed.h"
#include "parallel.h"
#include "rows.h"
#include "workspace.h"

namespace ondevice::KERNEL_ISA {

constexpr int64_t QUERIES = 96;     // that are visited together
constexpr int64_t KEYS = 192;       // of one tile, at most
constexpr int64_t STEP = 32;        // tiles begin at multiples of this, because of `entries`
constexpr float LOG2_E = 1.44269504f;

// Token i sees the keys first_key(i) .. i.
inline int64_t first_key(const AttentionShape& s, int64_t i) {
  const int64_t in_window = s.window > 0 ? i - s.window + 1 : 0;
  return max(s.first[i], in_window);
}

// Scores of `keys` keys from `key` on, by `queries` queries from `query` on (counted in
// QueryTile). `whole` says that each of them sees each of the keys.
struct Tile {
  int64_t key, keys, query, queries;
  bool whole;
};

// The queries begin .. begin + QUERIES, as many as there are, and the keys that each sees.
class QueryTile {
 public:
  QueryTile(const AttentionShape& s, int64_t begin) : begin(begin), count(min(QUERIES, s.t - begin)) {
    for (int64_t i = 0; i < QUERIES; ++i) {
      first[i] = i < count ? float(first_key(s, begin + i)) : 1e9f;  // one that is none sees nothing
      last[i] = i < count ? float(begin + i) : -1;
    }
    for (int64_t i = 0; i < QUERIES; ++i) {
      Range &of_first = firsts[i / STEP], &of_last = lasts[i / STEP];
      of_first = {of_first.least < first[i] ? of_first.least : first[i],
                  of_first.most > first[i] ? of_first.most : first[i]};
      of_last = {of_last.least < last[i] ? of_last.least : last[i],
                 of_last.most > last[i] ? of_last.most : last[i]};
    }
  }

  int64_t end() const { return begin + count; }

  // Where the first tile begins.
  int64_t start() const {
    float least = firsts[0].least;
    for (const Range& range : firsts) least = range.least < least ? range.least : least;
    return int64_t(least) / STEP * STEP;
  }

  // The tile that begins with `key`: as many keys as are seen by the same queries.
  Tile tile(int64_t key) const {
    Tile found = step(key);
    while (found.keys < KEYS && key + found.keys < end()) {
      const Tile next = step(key + found.keys);
      if (next.query != found.query || next.queries != found.queries) break;
      found.keys += next.keys;
      found.whole = found.whole && next.whole;
    }
    return found;
  }

  // At least 0 in lanes whose query, `query` and so on, sees the key; else far below.
  Vec bound(int64_t query, int64_t key) const {
    const Vec k = splat(float(key));
    return (min(k - load(first + query), load(last + query) - k) + splat(0.5f)) * splat(1e30f);
  }

  const int64_t begin, count;

 private:
  struct Range { float least = 2e9f, most = -2; };

  Tile step(int64_t key) const {
    const int64_t keys = min(STEP, end() - key);
    int64_t low = QUERIES, high = 0;
    bool whole = true;
    for (int64_t i = 0; i < QUERIES / STEP; ++i)
      if (firsts[i].least < float(key + keys) && lasts[i].most >= float(key)) {
        low = min(low, i * STEP), high = (i + 1) * STEP;
        whole = whole && firsts[i].most <= float(key) && lasts[i].least >= float(key + keys - 1);
      }
    return {key, keys, low, max(0, high - low), whole};
  }

  alignas(64) float first[QUERIES], last[QUERIES];
  Range firsts[QUERIES / STEP], lasts[QUERIES / STEP];
};

// Packs rows or columns of x for QUERIES queries, of which there are `count`; the others are
// zero. `out` is planned for all.
template <class T>
void pack_queries(const T* x, int64_t ld, int64_t count, Packed out, bool columns) {
  if (count < QUERIES) memset(out.words, 0, size_t(words(out)) * sizeof(float));
  if (columns) {
    out.length = count;
    pack_columns_here(x, ld, out);
  } else {
    out.vectors = count;
    pack_rows_here(x, ld, out);
  }
}

// Keys, or vectors of queries, that are packed at once: a word of bfloat16 holds two entries.
template <bool BF16> constexpr int PACKED = BF16 ? 2 : 1;

// Writes the entries `entry`.. of the vectors `vector`.. of a left side for columns: x has
// PACKED entries of LANES vectors.
template <bool BF16>
void put_column(const Packed& p, int64_t vector, int64_t entry, const Vec* x) {
  float* at = p.words + (vector / LANES * p.stride + entry / PACKED<BF16>) * LANES;
  store(at, BF16 ? interleaved_bf16(x[0], x[1]) : x[0]);
}

// Writes the entries `entry`.. of one vector of a left side for rows: x has PACKED * LANES.
template <bool BF16>
void put_row(const Packed& p, int64_t vector, int64_t entry, const Vec* x) {
  const int64_t square = entry / (PACKED<BF16> * LANES);
  float* at = p.words + (vector / LANES * p.stride + square * LANES + vector % LANES) * LANES;
  store(at, BF16 ? bf16_pairs(x[0], x[1]) : x[0]);
}

// Takes buffers one after the other from memory of this thread.
class Buffers {
 public:
  explicit Buffers(int64_t floats) : next(workspace(Purpose::JOB, floats)) {}
  float* take(int64_t floats) {
    float* taken = next;
    next += round_up(floats, 16);
    return taken;
  }
  Packed take(Packed plan) {
    plan.words = take(words(plan));
    return plan;
  }
  // Enough for `count` packed arrays of vectors x length, in either direction.
  static int64_t packed(int64_t count, int64_t vectors, int64_t length) {
    return count * (round_up(vectors, 16) + 16) * (round_up(length, 16) + 16);
  }

 private:
  float* next;
};

}  // namespace ondevice::KERNEL_ISA
