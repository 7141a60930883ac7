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

// Of one row of gate and up, in float32 or bfloat16.
template <class Activation, class T>
void forward_row(const T* gate, const T* up, int64_t n, float* out) {
  each_vector(n, [&](int64_t i, auto at) {
    at.store(out + i, Activation::at(at.load(gate + i)).value * at.load(up + i));
  });
}

template <class Activation, class T>
void backward_row(const float* dout, const T* gate, const T* up, int64_t n, float* dgate,
                  float* dup) {
  each_vector(n, [&](int64_t i, auto at) {
    const ValueAndSlope of_gate = Activation::at(at.load(gate + i));
    const Vec d = at.load(dout + i);
    at.store(dgate + i, d * at.load(up + i) * of_gate.slope);
    at.store(dup + i, d * of_gate.value);
  });
}

template <class Activation, class T>
void forward(const T* gate, const T* up, const Packed& out) {
  parallel(blocks(out.vectors, TOKENS), [&](int64_t job) {
    const int64_t begin = job * TOKENS, count = min(TOKENS, out.vectors - begin);
    const Packed to[] = {vectors(out, begin, count)};
    pack_made_rows(to, [&](int64_t i, int64_t first, int64_t n, float* const made[1]) {
      const int64_t at = (begin + i) * out.length + first;
      forward_row<Activation>(gate + at, up + at, n, made[0]);
    });
  });
}

template <class Activation, class T>
void backward(const float* dout, const T* gate, const T* up, const Packed& dgate,
              const Packed& dup) {
  parallel(blocks(dup.vectors, TOKENS), [&](int64_t job) {
    const int64_t begin = job * TOKENS, count = min(TOKENS, dup.vectors - begin);
    const Packed to[] = {vectors(dgate, begin, count), vectors(dup, begin, count)};
    pack_made_rows(to, [&](int64_t i, int64_t first, int64_t n, float* const made[2]) {
      const int64_t at = (begin + i) * dup.length + first;
      backward_row<Activation>(dout + at, gate + at, up + at, n, made[0], made[1]);
    });
  });
}

}  // namespace

void gated_forward(const Activations& gate, const Activations& up, bool gelu, const Packed& out) {
  if (gate.f32)
    (gelu ? forward<Gelu, float> : forward<Silu, float>)(gate.f32, up.f32, out);
  else
    (gelu ? forward<Gelu, uint16_t> : forward<Silu, uint16_t>)(gate.bf16, up.bf16, out);
}

void gated_backward(const float* dout, const Activations& gate, const Activations& up, bool gelu,
                    const Packed& dgate, const Packed& dup) {
  if (gate.f32)
    (gelu ? backward<Gelu, float> : backward<Silu, float>)(dout, gate.f32, up.f32, dgate, dup);
  else
    (gelu ? backward<Gelu, uint16_t> : backward<Silu, uint16_t>)(dout, gate.bf16, up.bf16, dgate, dup);
}

}  // namespace ondevice::KERNEL_ISA
