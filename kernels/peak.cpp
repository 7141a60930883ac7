#include "peak.h"

#include "packed.h"
#include "parallel.h"
#include "tiles.h"

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

#if defined(KERNEL_AMX)
// The same in tile registers, whose results are four chains.
float chains_of_tiles(int64_t rounds) {
  const TileRegisters claimed;
  alignas(64) float square[SQUARE] = {};
  multiply_tiles<2, 2>(square, 0, square, 0, 1, nullptr, square, 0);  // defines all of them
  for (int64_t r = 0; r < rounds; ++r) {
    _tile_dpbf16ps(0, 4, 6);
    _tile_dpbf16ps(1, 4, 7);
    _tile_dpbf16ps(2, 5, 6);
    _tile_dpbf16ps(3, 5, 7);
  }
  _tile_stored(0, square, LANES * sizeof(float));
  return square[0];
}
#endif

}  // namespace

int64_t multiply_adds_in_registers(bool bf16, int64_t jobs, int64_t rounds, float* sink) {
#if defined(KERNEL_AMX)
  if (bf16) {
    parallel(jobs, [&](int64_t job) { sink[job] = chains_of_tiles(rounds); });
    return jobs * rounds * 4 * SQUARE * 2 * LANES;
  }
#endif
  parallel(jobs, [&](int64_t job) {
    sink[job] = bf16 && HAS_BF16 ? chains<true>(rounds) : chains<false>(rounds);
  });
  return jobs * rounds * SUMS * LANES * (bf16 && HAS_BF16 ? 2 : 1);
}

}  // namespace ondevice::KERNEL_ISA
