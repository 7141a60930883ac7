#include "peak.h"

#include "packed.h"
#include "parallel.h"

namespace ondevice::KERNEL_ISA {
namespace {

constexpr int SUMS = 12;  // independent chains: more than latency times units

template <bool BF16>
float chains(int64_t rounds) {
  Vec sums[SUMS];
  UNROLL for (int i = 0; i < SUMS; ++i) sums[i] = splat(float(i));
  const Vec a = splat(1.0000001f), b = splat(1e-9f);
  for (int64_t r = 0; r < rounds; ++r)
    UNROLL for (int i = 0; i < SUMS; ++i)
      sums[i] = BF16 ? fma_bf16(a, b, sums[i]) : fma(sums[i], a, b);
  Vec total = sums[0];
  for (int i = 1; i < SUMS; ++i) total = total + sums[i];
  return sum(total);
}

}  // namespace

int64_t multiply_adds_in_registers(bool bf16, int64_t jobs, int64_t rounds, float* sink) {
  parallel(jobs, [&](int64_t job) {
    sink[job] = bf16 && HAS_BF16 ? chains<true>(rounds) : chains<false>(rounds);
  });
  return jobs * rounds * SUMS * LANES * (bf16 && HAS_BF16 ? 2 : 1);
}

}  // namespace ondevice::KERNEL_ISA
