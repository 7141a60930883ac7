#include "adamw.h"

#include "parallel.h"
#include "simd.h"

namespace ondevice::KERNEL_ISA {

// m = beta1 m + (1 - beta1) g;  v = beta2 v + (1 - beta2) g^2
// p -= rate * (m / correction1 / (sqrt(v / correction2) + eps) + decay * p)
void adamw(float* p, const float* g, float* m, float* v, int64_t n, const AdamW& settings) {
  constexpr int64_t VALUES = 16384;
  const Vec beta1 = splat(settings.beta1), rest1 = splat(1 - settings.beta1);
  const Vec beta2 = splat(settings.beta2), rest2 = splat(1 - settings.beta2);
  const Vec scale = splat(settings.gradient_scale), eps = splat(settings.eps);
  const Vec correction1 = splat(settings.correction1), correction2 = splat(settings.correction2);
  const Vec rate = splat(settings.learning_rate), decay = splat(settings.weight_decay);
  parallel(blocks(n, VALUES), [&](int64_t job) {
    const int64_t start = job * VALUES;
    each_vector(min(VALUES, n - start), [&](int64_t offset, auto at) {
      const int64_t i = start + offset;
      const Vec gradient = at.load(g + i) * scale;
      const Vec mean = beta1 * at.load(m + i) + rest1 * gradient;
      const Vec square = beta2 * at.load(v + i) + rest2 * gradient * gradient;
      const Vec step = (mean / correction1) / (sqrt(square / correction2) + eps);
      const Vec old = at.load(p + i);
      at.store(m + i, mean);
      at.store(v + i, square);
      at.store(p + i, old - rate * (step + decay * old));
    });
  });
}

}  // namespace ondevice::KERNEL_ISA
