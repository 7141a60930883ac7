// What the forward and the backward pass of attention share: which keys a
// query sees, and tiles of scores.
#pragma once

#include "packed.h"
#include "parallel.h"
#include "rows.h"
#include "workspace.h"

namespace ondevice::KERNEL_ISA {

constexpr int64_t QUERIES = 96, KEYS = 192;  // of one tile

// Token i sees the keys first_key(i) .. i.
inline int64_t first_key(const AttentionShape& s, int64_t i) {
  const int64_t in_window = s.window > 0 ? i - s.window + 1 : 0;
  return max(s.first[i], in_window);
}

// The first key tile that any of the queries begin..end sees.
inline int64_t first_tile(const AttentionShape& s, int64_t begin, int64_t end) {
  int64_t least = begin;
  for (int64_t i = begin; i < end; ++i) least = min(least, first_key(s, i));
  return least / KEYS * KEYS;
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
