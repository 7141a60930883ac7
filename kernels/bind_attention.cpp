// Attention.
#include <nanobind/stl/string.h>

#include "arguments.h"

namespace ondevice {
namespace {

AttentionShape shape_of(const In<3>& q, const In<3>& k, const In<3>& v, const InInts<1>& first,
                        float scale, int64_t window, const std::string& precision,
                        const Kernels& set) {
  const AttentionShape s{int64_t(q.shape(0)), int64_t(q.shape(1)), int64_t(k.shape(1)),
                         int64_t(q.shape(2)), first.data(), scale, window,
                         wants_bf16(precision, set)};
  check_shape("k", k, {s.t, s.g, s.d});
  check_shape("v", v, {s.t, s.g, s.d});
  check_shape("first", first, {s.t});
  check(s.t > 0 && s.d > 0 && s.g > 0 && s.h % s.g == 0,
        "The number of query heads must be a multiple of the number of key and value heads.");
  check(window >= 0, "window must not be negative.");
  for (int64_t i = 0; i < s.t; ++i)
    check(0 <= s.first[i] && s.first[i] <= i, "first[i] must be in 0..i.");
  return s;
}

void attention_forward(In<3> q, In<3> k, In<3> v, InInts<1> first, float scale, Out<3> o,
                       Out<2> lse, int64_t window, const std::string& precision) {
  const Kernels& set = kernels();
  const AttentionShape s = shape_of(q, k, v, first, scale, window, precision, set);
  check_shape("o", o, {s.t, s.h, s.d});
  check_shape("lse", lse, {s.h, s.t});
  const float *queries = q.data(), *keys = k.data(), *values = v.data();
  float *out = o.data(), *sums = lse.data();
  nb::gil_scoped_release unlocked;
  set.attention_forward(s, queries, keys, values, out, sums);
}

void attention_backward(In<3> d_o, In<3> q, In<3> k, In<3> v, InInts<1> first, float scale,
                        In<3> o, In<2> lse, Out<3> dq, Out<3> dk, Out<3> dv, int64_t window,
                        const std::string& precision) {
  const Kernels& set = kernels();
  const AttentionShape s = shape_of(q, k, v, first, scale, window, precision, set);
  check_shape("do", d_o, {s.t, s.h, s.d});
  check_shape("o", o, {s.t, s.h, s.d});
  check_shape("lse", lse, {s.h, s.t});
  check_shape("dq", dq, {s.t, s.h, s.d});
  check_shape("dk", dk, {s.t, s.g, s.d});
  check_shape("dv", dv, {s.t, s.g, s.d});
  const float *out_gradient = d_o.data(), *queries = q.data(), *keys = k.data(),
              *values = v.data(), *out = o.data(), *sums = lse.data();
  float *to_q = dq.data(), *to_k = dk.data(), *to_v = dv.data();
  nb::gil_scoped_release unlocked;
  set.attention_backward(s, out_gradient, queries, keys, values, out, sums, to_q, to_k, to_v);
}

}  // namespace

void bind_attention(nb::module_& m) {
  m.def("attention_forward", &attention_forward, "q"_a.noconvert(), "k"_a.noconvert(),
        "v"_a.noconvert(), "first"_a.noconvert(), "scale"_a, "o"_a.noconvert(),
        "lse"_a.noconvert(), nb::kw_only(), "window"_a = 0, "precision"_a = "auto");
  m.def("attention_backward", &attention_backward, "do"_a.noconvert(), "q"_a.noconvert(),
        "k"_a.noconvert(), "v"_a.noconvert(), "first"_a.noconvert(), "scale"_a,
        "o"_a.noconvert(), "lse"_a.noconvert(), "dq"_a.noconvert(), "dk"_a.noconvert(),
        "dv"_a.noconvert(), nb::kw_only(), "window"_a = 0, "precision"_a = "auto");
}

}  // namespace ondevice
