#include "norms.h"

#include "simd.h"

namespace ondevice::KERNEL_ISA {

// Sum of x[i]^2 over an array of n values, in blocks so that a large gradient
// loses no small contributions.
double sum_of_squares(const float* x, int64_t n) {
  constexpr int64_t BLOCK = 4096;
  double total = 0;
  for (int64_t start = 0; start < n; start += BLOCK) {
    const int64_t end = start + BLOCK < n ? start + BLOCK : n;
    Vec squares = zero();
    int64_t i = start;
    for (; i + LANES <= end; i += LANES) squares = fma(load(x + i), load(x + i), squares);
    if (i < end) {
      const Vec rest = load_some(x + i, end - i);
      squares = fma(rest, rest, squares);
    }
    total += sum(squares);
  }
  return total;
}

}  // namespace ondevice::KERNEL_ISA
