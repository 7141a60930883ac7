// Attention.
#include <nanobind/stl/string.h>

#include "arguments.h"

namespace ondevice {
namespace {

// What both directions are given.
struct Arguments {
  AttentionShape shape;
  Activations q, k, v;
};

Arguments arguments(const InEither<3>& q, const InEither<3>& k, const InEither<3>& v,
                    const InInts<1>& first, float scale, int64_t window,
                    const std::string& precision, const Kernels& set) {
  AttentionShape s{0, 0, 0, 0, first.data(), scale, window, wants_bf16(precision, set)};
  std::visit([&](const auto& a) { s.t = a.shape(0), s.h = a.shape(1), s.d = a.shape(2); }, q);
  std::visit([&](const auto& a) { s.g = a.shape(1); }, k);
  check_shape("k", k, {s.t, s.g, s.d});
  check_shape("v", v, {s.t, s.g, s.d});
  check_shape("first", first, {s.t});
  check(s.t > 0 && s.d > 0 && s.g > 0 && s.h % s.g == 0,
        "The number of query heads must be a multiple of the number of key and value heads.");
  check(window >= 0, "window must not be negative.");
  for (int64_t i = 0; i < s.t; ++i)
    check(0 <= s.first[i] && s.first[i] <= i, "first[i] must be in 0..i.");
  check(q.index() == k.index() && q.index() == v.index(), "q, k and v must be in one precision.");
  return {s, activations("q", q, set), activations("k", k, set), activations("v", v, set)};
}

void attention_forward(InEither<3> q, InEither<3> k, InEither<3> v, InInts<1> first, float scale,
                       OutEither<3> o, Out<2> lse, int64_t window, const std::string& precision) {
  const Kernels& set = kernels();
  const Arguments in = arguments(q, k, v, first, scale, window, precision, set);
  const AttentionShape& s = in.shape;
  check_shape("o", o, {s.t, s.h, s.d});
  check(o.index() == q.index(), "o must be in the precision of q.");
  check_shape("lse", lse, {s.h, s.t});
  const bool rounded = is_bf16("o", o, set);
  float *out = rounded ? nullptr : std::get<0>(o).data(), *sums = lse.data();
  uint16_t* out_bf16 = rounded ? std::get<1>(o).data() : nullptr;
  nb::gil_scoped_release unlocked;
  set.attention_forward(s, in.q, in.k, in.v, out, out_bf16, sums);
}

void attention_backward(In<3> d_o, InEither<3> q, InEither<3> k, InEither<3> v, InInts<1> first,
                        float scale, InEither<3> o, In<2> lse, Out<3> dq, Out<3> dk, Out<3> dv,
                        int64_t window, const std::string& precision) {
  const Kernels& set = kernels();
  const Arguments in = arguments(q, k, v, first, scale, window, precision, set);
  const AttentionShape& s = in.shape;
  check_shape("do", d_o, {s.t, s.h, s.d});
  check_shape("o", o, {s.t, s.h, s.d});
  check(o.index() == q.index(), "o must be in the precision of q.");
  check_shape("lse", lse, {s.h, s.t});
  check_shape("dq", dq, {s.t, s.h, s.d});
  check_shape("dk", dk, {s.t, s.g, s.d});
  check_shape("dv", dv, {s.t, s.g, s.d});
  const Activations out = activations("o", o, set);
  const float *out_gradient = d_o.data(), *sums = lse.data();
  float *to_q = dq.data(), *to_k = dk.data(), *to_v = dv.data();
  nb::gil_scoped_release unlocked;
  set.attention_backward(s, out_gradient, in.q, in.k, in.v, out, sums, to_q, to_k, to_v);
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
