// Loss and optimizer.
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>

#include <cmath>
#include <optional>

#include "packed_argument.h"

namespace ondevice {
namespace {

using Flat = nb::ndarray<const float, nb::c_contig, nb::device::cpu>;
using FlatOut = nb::ndarray<float, nb::c_contig, nb::device::cpu>;

void cross_entropy(nb::handle h, const WeightObject& w, InInts<1> targets, Out<1> loss,
                   std::optional<Out<2>> dh, std::optional<In<1>> weights,
                   const std::string& precision) {
  const Kernels& set = kernels();
  Input input("h", h, precision, set);
  const int64_t s = input.rows();
  check(input.columns() == w.weight.k, "h must have as many columns as the weight.");
  check_shape("targets", targets, {s});
  check_shape("loss", loss, {s});
  if (dh) check_shape("dh", *dh, {s, w.weight.k});
  if (weights) check_shape("weights", *weights, {s});
  const int32_t* wanted = targets.data();
  for (int64_t i = 0; i < s; ++i)
    check(0 <= wanted[i] && wanted[i] < w.weight.n, "targets must be in the vocabulary.");
  float *out = loss.data(), *gradient = dh ? dh->data() : nullptr;
  const float* factors = weights ? weights->data() : nullptr;
  nb::gil_scoped_release unlocked;
  set.cross_entropy(input.ready(), w.weight, wanted, factors, out, gradient);
}

void adamw(FlatOut p, Flat g, FlatOut m, FlatOut v, double learning_rate, double beta1,
           double beta2, double eps, double weight_decay, int64_t step, double gradient_scale) {
  const size_t n = p.size();
  check(g.size() == n && m.size() == n && v.size() == n, "p, g, m and v must have the same size.");
  check(step >= 1, "step counts from 1.");
  const AdamW settings{float(learning_rate), float(beta1), float(beta2), float(eps),
                       float(weight_decay),  float(1 - std::pow(beta1, double(step))),
                       float(1 - std::pow(beta2, double(step))), float(gradient_scale)};
  const Kernels& set = kernels();
  float *values = p.data(), *mean = m.data(), *square = v.data();
  const float* gradient = g.data();
  nb::gil_scoped_release unlocked;
  set.adamw(values, gradient, mean, square, int64_t(n), settings);
}

double sum_of_squares(Flat x) {
  const float* data = x.data();
  const auto n = int64_t(x.size());
  const Kernels& k = kernels();
  nb::gil_scoped_release unlocked;
  return k.sum_of_squares(data, n);
}

}  // namespace

void bind_loss(nb::module_& m) {
  m.def("cross_entropy", &cross_entropy, "h"_a, "w"_a, "targets"_a.noconvert(),
        "loss"_a.noconvert(), "dh"_a.noconvert().none() = nb::none(),
        "weights"_a.noconvert().none() = nb::none(), nb::kw_only(), "precision"_a = "auto");
  m.def("adamw", &adamw, "p"_a.noconvert(), "g"_a.noconvert(), "m"_a.noconvert(),
        "v"_a.noconvert(), nb::kw_only(), "learning_rate"_a, "beta1"_a, "beta2"_a, "eps"_a,
        "weight_decay"_a, "step"_a, "gradient_scale"_a = 1.0);
  m.def("sum_of_squares", &sum_of_squares, "x"_a.noconvert());
}

}  // namespace ondevice
