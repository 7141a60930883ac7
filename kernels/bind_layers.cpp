// Norms and positions.
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>

#include <cmath>
#include <optional>

#include "arguments.h"

namespace ondevice {
namespace {

void rms_norm_forward(In<2> x, In<1> weight, float eps, Out<2> y, Out<1> rstd) {
  const int64_t t = x.shape(0), k = x.shape(1);
  check_shape("weight", weight, {k});
  check_shape("y", y, {t, k});
  check_shape("rstd", rstd, {t});
  const Kernels& set = kernels();
  const float *in = x.data(), *w = weight.data();
  float *out = y.data(), *r = rstd.data();
  nb::gil_scoped_release unlocked;
  set.rms_norm_forward(in, w, eps, t, k, out, r);
}

void rms_norm_backward(In<2> dy, In<2> x, In<1> weight, In<1> rstd, Out<2> dx, bool accumulate) {
  const int64_t t = x.shape(0), k = x.shape(1);
  check_shape("dy", dy, {t, k});
  check_shape("weight", weight, {k});
  check_shape("rstd", rstd, {t});
  check_shape("dx", dx, {t, k});
  const Kernels& set = kernels();
  const float *d = dy.data(), *in = x.data(), *w = weight.data(), *r = rstd.data();
  float* out = dx.data();
  nb::gil_scoped_release unlocked;
  set.rms_norm_backward(d, in, w, r, t, k, accumulate, out);
}

// Angles in float64: a position of some thousands leaves float32 few digits.
void rope_table(InInts<1> positions, double base, std::optional<In<1>> factors, Out<2> cos,
                Out<2> sin, double scale) {
  const int64_t t = positions.shape(0), pairs = cos.shape(1);
  check_shape("cos", cos, {t, pairs});
  check_shape("sin", sin, {t, pairs});
  if (factors) check_shape("factors", *factors, {pairs});
  for (int64_t i = 0; i < pairs; ++i) {
    const double factor = factors ? factors->data()[i] : 1.0;
    const double frequency = scale * std::pow(base, -double(i) / double(pairs)) / factor;
    for (int64_t j = 0; j < t; ++j) {
      const double angle = positions.data()[j] * frequency;
      cos.data()[j * pairs + i] = float(std::cos(angle));
      sin.data()[j * pairs + i] = float(std::sin(angle));
    }
  }
}

void rope(Out<3> x, In<2> cos, In<2> sin, bool interleaved, bool backward) {
  const int64_t t = x.shape(0), h = x.shape(1), d = x.shape(2), pairs = cos.shape(1);
  check_shape("cos", cos, {t, pairs});
  check_shape("sin", sin, {t, pairs});
  check(2 * pairs <= d, "The tables rotate more dimensions than a head has.");
  const Kernels& set = kernels();
  float* data = x.data();
  const float *c = cos.data(), *s = sin.data();
  nb::gil_scoped_release unlocked;
  set.rope(data, c, s, t, h, d, pairs, interleaved, backward);
}

}  // namespace

void bind_layers(nb::module_& m) {
  m.def("rms_norm_forward", &rms_norm_forward, "x"_a.noconvert(), "weight"_a.noconvert(), "eps"_a,
        "y"_a.noconvert(), "rstd"_a.noconvert());
  m.def("rms_norm_backward", &rms_norm_backward, "dy"_a.noconvert(), "x"_a.noconvert(),
        "weight"_a.noconvert(), "rstd"_a.noconvert(), "dx"_a.noconvert(), nb::kw_only(),
        "accumulate"_a = false);
  m.def("rope_table", &rope_table, "positions"_a.noconvert(), "base"_a,
        "factors"_a.noconvert().none(), "cos"_a.noconvert(), "sin"_a.noconvert(), nb::kw_only(),
        "scale"_a = 1.0);
  m.def("rope", &rope, "x"_a.noconvert(), "cos"_a.noconvert(), "sin"_a.noconvert(), nb::kw_only(),
        "interleaved"_a, "backward"_a = false);
}

}  // namespace ondevice
