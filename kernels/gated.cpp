#include "gated.h"

#include "parallel.h"
#include "simd.h"

namespace ondevice::KERNEL_ISA {
namespace {

constexpr int64_t TOKENS = 16;  // of one job

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
void gate_gradient(const float* dout, const float* gate, const float* up, int64_t n, float* dgate) {
  each_vector(n, [&](int64_t i, auto at) {
    at.store(dgate + i,
             at.load(dout + i) * at.load(up + i) * Activation::at(at.load(gate + i)).slope);
  });
}

}  // namespace

void gated_forward(const float* gate, const float* up, bool gelu, const Packed& out) {
  const auto compute = gelu ? forward<Gelu> : forward<Silu>;
  parallel(blocks(out.vectors, TOKENS), [&](int64_t job) {
    const int64_t begin = job * TOKENS, count = min(TOKENS, out.vectors - begin);
    pack_made_rows(vectors(out, begin, count), [&](int64_t i, int64_t first, int64_t n, float* to) {
      const int64_t at = (begin + i) * out.length + first;
      compute(gate + at, up + at, n, to);
    });
  });
}

void gated_backward(const float* dout, const float* gate, const float* up, bool gelu,
                    const Packed& dgate, const Packed& dup) {
  const auto of_gate = gelu ? gate_gradient<Gelu> : gate_gradient<Silu>;
  const auto of_up = gelu ? forward<Gelu> : forward<Silu>;  // dup = activation(gate) * dout
  parallel(blocks(dup.vectors, TOKENS), [&](int64_t job) {
    const int64_t begin = job * TOKENS, count = min(TOKENS, dup.vectors - begin);
    pack_made_rows(vectors(dgate, begin, count), [&](int64_t i, int64_t first, int64_t n, float* to) {
      const int64_t at = (begin + i) * dgate.length + first;
      of_gate(dout + at, gate + at, up + at, n, to);
    });
    pack_made_rows(vectors(dup, begin, count), [&](int64_t i, int64_t first, int64_t n, float* to) {
      const int64_t at = (begin + i) * dup.length + first;
      of_up(gate + at, dout + at, n, to);
    });
  });
}

}  // namespace ondevice::KERNEL_ISA
