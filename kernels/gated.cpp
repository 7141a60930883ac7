#include "gated.h"

#include "parallel.h"
#include "simd.h"

namespace ondevice::KERNEL_ISA {
namespace {

constexpr int64_t VALUES = 8192;  // of one job

Vec sigmoid(Vec x) { return splat(1) / (splat(1) + exp(zero() - x)); }

struct ValueAndSlope { Vec value, slope; };

// silu(x) = x * sigmoid(x)
struct Silu {
  static ValueAndSlope at(Vec x) {
    const Vec s = sigmoid(x), value = x * s;
    return {value, s + value * (splat(1) - s)};
  }
};

// gelu(x) = x/2 * (1 + tanh(u)) = x * sigmoid(2u), with u = sqrt(2/pi) * (x + 0.044715 x^3)
struct Gelu {
  static ValueAndSlope at(Vec x) {
    const Vec two_root = splat(1.5957691216f), cubic = splat(0.044715f), x2 = x * x;
    const Vec s = sigmoid(two_root * fma(cubic * x2, x, x)), value = x * s;
    const Vec two_du = two_root * fma(splat(3) * cubic, x2, splat(1));
    return {value, s + value * (splat(1) - s) * two_du};
  }
};

template <class Activation>
void forward(const float* gate, const float* up, int64_t n, float* out) {
  each_vector(n, [&](int64_t i, auto at) {
    at.store(out + i, Activation::at(at.load(gate + i)).value * at.load(up + i));
  });
}

template <class Activation>
void backward(const float* dout, const float* gate, const float* up, int64_t n, float* dgate,
              float* dup) {
  each_vector(n, [&](int64_t i, auto at) {
    const Vec d = at.load(dout + i), u = at.load(up + i);
    const ValueAndSlope a = Activation::at(at.load(gate + i));
    at.store(dgate + i, d * u * a.slope);
    at.store(dup + i, d * a.value);
  });
}

}  // namespace

void gated_forward(const float* gate, const float* up, int64_t n, bool gelu, float* out) {
  parallel(blocks(n, VALUES), [&](int64_t job) {
    const int64_t i = job * VALUES, count = min(VALUES, n - i);
    (gelu ? forward<Gelu> : forward<Silu>)(gate + i, up + i, count, out + i);
  });
}

void gated_backward(const float* dout, const float* gate, const float* up, int64_t n, bool gelu,
                    float* dgate, float* dup) {
  parallel(blocks(n, VALUES), [&](int64_t job) {
    const int64_t i = job * VALUES, count = min(VALUES, n - i);
    (gelu ? backward<Gelu> : backward<Silu>)(dout + i, gate + i, up + i, count, dgate + i, dup + i);
  });
}

}  // namespace ondevice::KERNEL_ISA
