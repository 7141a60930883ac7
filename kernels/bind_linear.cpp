// Weights, linear layers, and what is computed for these only.
#include <nanobind/stl/optional.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <optional>
#include <utility>
#include <vector>

#include "packed_argument.h"

namespace ondevice {
namespace {

bool is_gelu(const std::string& activation) {
  check(activation == "silu" || activation == "gelu_tanh",
        "activation is '" + activation + "', but must be 'silu' or 'gelu_tanh'.");
  return activation == "gelu_tanh";
}

TypeIndex type_named(const std::string& name) {
  for (int i = 0; i < WEIGHT_TYPE_COUNT; ++i)
    if (name == WEIGHT_TYPES[i].name) return TypeIndex(i);
  throw std::invalid_argument("Tensor type '" + name + "' is not supported.");
}

int64_t row_bytes(const std::string& type, int64_t k) {
  const Weight row{nullptr, type_named(type), 1, k};
  check(k > 0 && k % row.block_values() == 0,
        "A row of " + std::to_string(k) + " values is no whole number of " + type + " blocks of " +
            std::to_string(row.block_values()) + ".");
  return row.row_bytes();
}

void make_weight(WeightObject* self, Array<const uint8_t, 1> data, const std::string& type,
                 int64_t n, int64_t k) {
  check(n > 0, "A weight needs at least one row.");
  const int64_t bytes = n * row_bytes(type, k);
  check(int64_t(data.size()) == bytes,
        "A " + type + " weight of " + std::to_string(n) + " rows of " + std::to_string(k) +
            " values has " + std::to_string(bytes) + " bytes, but data has " +
            std::to_string(data.size()) + ".");
  const Weight weight{data.data(), type_named(type), n, k};
  new (self) WeightObject{std::move(data), weight};
}

WeightObject some_rows(const WeightObject& w, int64_t start, int64_t stop) {
  check(0 <= start && start < stop && stop <= w.weight.n, "rows() must be within the weight.");
  return {w.data, w.weight.rows(start, stop)};
}

void dequantize(const WeightObject& w, Out<2> out) {
  check_shape("out", out, {w.weight.n, w.weight.k});
  const Kernels& k = kernels();
  float* data = out.data();
  nb::gil_scoped_release unlocked;
  k.dequantize_rows(w.weight, nullptr, w.weight.n, data);
}

void dequantize_rows(const WeightObject& w, InInts<1> rows, Out<2> out) {
  const auto count = int64_t(rows.size());
  check_shape("out", out, {count, w.weight.k});
  const int32_t* wanted = rows.data();
  for (int64_t i = 0; i < count; ++i)
    check(0 <= wanted[i] && wanted[i] < w.weight.n, "rows must be within the weight.");
  const Kernels& k = kernels();
  float* data = out.data();
  nb::gil_scoped_release unlocked;
  k.dequantize_rows(w.weight, wanted, count, data);
}

// Room for activations as a left side.
PackedObject unpacked(int64_t vectors, int64_t length, const std::string& precision) {
  const Kernels& k = kernels();
  Packed packed = k.plan(Side::LEFT, vectors, length, wants_bf16(precision, k));
  Floats memory = allocate(k.words(packed));
  packed.words = memory.get();
  return {&k, packed, std::move(memory)};
}

void make_packed(PackedObject* self, InEither<2> x, const std::string& precision) {
  int64_t t = 0, k = 0;
  std::visit([&](const auto& a) { t = a.shape(0), k = a.shape(1); }, x);
  PackedObject made = unpacked(t, k, precision);
  const Activations data = activations("x", x, *made.set);
  {
    nb::gil_scoped_release unlocked;
    if (data.f32)
      made.set->pack_rows(data.f32, k, made.packed);
    else
      made.set->pack_rows_of_bf16(data.bf16, k, made.packed);
  }
  new (self) PackedObject(std::move(made));
}

PackedObject rms_norm_packed(In<2> x, In<1> weight, float eps, Out<1> rstd, const std::string& precision) {
  PackedObject made = unpacked(x.shape(0), x.shape(1), precision);
  check_shape("weight", weight, {made.packed.length});
  check_shape("rstd", rstd, {made.packed.vectors});
  const float *in = x.data(), *w = weight.data();
  float* r = rstd.data();
  nb::gil_scoped_release unlocked;
  made.set->rms_norm_packed(in, w, eps, made.packed, r);
  return made;
}

// Gate and up of a feed-forward layer.
struct Gated {
  Activations gate, up;
  int64_t t, f;
};

Gated gated(const InEither<2>& gate, const InEither<2>& up) {
  const Kernels& k = kernels();
  Gated found{activations("gate", gate, k), activations("up", up, k), 0, 0};
  check(gate.index() == up.index(), "gate and up must be in one precision.");
  std::visit([&](const auto& a) { found.t = a.shape(0), found.f = a.shape(1); }, gate);
  check_shape("up", up, {found.t, found.f});
  return found;
}

PackedObject gated_forward(InEither<2> gate, InEither<2> up, const std::string& activation,
                           const std::string& precision) {
  const Gated in = gated(gate, up);
  PackedObject made = unpacked(in.t, in.f, precision);
  const bool gelu = is_gelu(activation);
  nb::gil_scoped_release unlocked;
  made.set->gated_forward(in.gate, in.up, gelu, made.packed);
  return made;
}

std::pair<PackedObject, PackedObject> gated_backward(In<2> dout, InEither<2> gate, InEither<2> up,
                                                     const std::string& activation,
                                                     const std::string& precision) {
  const Gated in = gated(gate, up);
  check_shape("dout", dout, {in.t, in.f});
  PackedObject dgate = unpacked(in.t, in.f, precision), dup = unpacked(in.t, in.f, precision);
  const bool gelu = is_gelu(activation);
  const float* d = dout.data();
  {
    nb::gil_scoped_release unlocked;
    dgate.set->gated_backward(d, in.gate, in.up, gelu, dgate.packed, dup.packed);
  }
  return {std::move(dgate), std::move(dup)};
}

void round_to_bf16(nb::ndarray<const float, nb::c_contig, nb::device::cpu> x,
                   nb::ndarray<uint16_t, nb::c_contig, nb::device::cpu> out) {
  const Kernels& k = kernels();
  check(k.has_bf16, "The instruction set in use lacks bfloat16.");
  check(x.size() == out.size(), "x and out must have the same size.");
  const float* data = x.data();
  uint16_t* rounded = out.data();
  const auto n = int64_t(x.size());
  nb::gil_scoped_release unlocked;
  k.round_to_bf16(data, n, rounded);
}

// A low-rank pair and, if it is trained, where its gradients go.
struct LoraObject {
  In<2> a, b;
  float scale;
  std::optional<Out<2>> da, db;
};

void make_lora(LoraObject* self, In<2> a, In<2> b, float scale, std::optional<Out<2>> da,
               std::optional<Out<2>> db) {
  const auto r = int64_t(a.shape(0)), k = int64_t(a.shape(1)), n = int64_t(b.shape(0));
  check_shape("b", b, {n, r});
  if (da) check_shape("da", *da, {r, k});
  if (db) check_shape("db", *db, {n, r});
  new (self) LoraObject{std::move(a), std::move(b), scale, std::move(da), std::move(db)};
}

using Pairs = std::vector<const LoraObject*>;
using Inner = std::vector<Out<2>>;

std::vector<Lora> loras_of(const Pairs& pairs, const Inner& products, int64_t t, const Weight& w) {
  check(pairs.size() == products.size(), "There must be one product for each pair.");
  std::vector<Lora> loras;
  for (size_t i = 0; i < pairs.size(); ++i) {
    const LoraObject& p = *pairs[i];
    const auto r = int64_t(p.a.shape(0));
    check_shape("a", p.a, {r, w.k});
    check_shape("b", p.b, {w.n, r});
    check_shape("a product", products[i], {t, r});
    loras.push_back({p.a.data(), p.b.data(), r, w.k, w.n, p.scale, products[i].data(),
                     p.da ? p.da->data() : nullptr, p.db ? p.db->data() : nullptr});
  }
  return loras;
}

void linear_forward(nb::handle x, const WeightObject& w, OutEither<2> y, const Pairs& pairs,
                    const Inner& products, std::optional<In<2>> plus,
                    const std::string& precision) {
  const Kernels& k = kernels();
  Input input("x", x, precision, k);
  check(input.columns() == w.weight.k, "x must have as many columns as the weight.");
  check_shape("y", y, {input.rows(), w.weight.n});
  if (plus) check_shape("plus", *plus, {input.rows(), w.weight.n});
  const bool rounded = is_bf16("y", y, k);
  check(!rounded || !plus, "Nothing can be added to a y in bfloat16.");
  const std::vector<Lora> loras = loras_of(pairs, products, input.rows(), w.weight);
  const float* added = plus ? plus->data() : nullptr;
  float* out = rounded ? nullptr : std::get<0>(y).data();
  uint16_t* out_bf16 = rounded ? std::get<1>(y).data() : nullptr;
  nb::gil_scoped_release unlocked;
  k.linear_forward(input.ready(), w.weight, {loras.data(), int64_t(loras.size())}, added, out,
                   out_bf16);
}

void linear_backward(nb::handle dy, const WeightObject& w, std::optional<Out<2>> dx,
                     const Pairs& pairs, const Inner& products, nb::handle x, bool accumulate,
                     const std::string& precision) {
  const Kernels& k = kernels();
  Input input("dy", dy, precision, k);
  check(input.columns() == w.weight.n, "dy must have as many columns as the weight has rows.");
  if (dx) check_shape("dx", *dx, {input.rows(), w.weight.k});
  const std::vector<Lora> loras = loras_of(pairs, products, input.rows(), w.weight);
  std::optional<Input> layer_input;
  if (!x.is_none()) {
    layer_input.emplace("x", x, input.bf16() ? "auto" : "f32", k);
    check(layer_input->rows() == input.rows() && layer_input->columns() == w.weight.k,
          "x must have as many rows as dy, and as many columns as the weight.");
    check(layer_input->bf16() == input.bf16(), "x and dy must be packed in one precision.");
  }
  bool wants_a = false;
  for (const Lora& lora : loras) wants_a = wants_a || lora.da;
  check(layer_input || !wants_a, "A pair's da needs the layer's input x.");
  float* out = dx ? dx->data() : nullptr;
  nb::gil_scoped_release unlocked;
  k.linear_backward(input.ready(), w.weight, {loras.data(), int64_t(loras.size())},
                    wants_a ? &layer_input->ready(Purpose::LAYER_INPUT) : nullptr, accumulate, out);
}

}  // namespace

void bind_linear(nb::module_& m) {
  nb::list names;
  for (const WeightType& type : WEIGHT_TYPES) names.append(type.name);
  m.attr("WEIGHT_TYPES") = nb::tuple(names);

  nb::class_<WeightObject>(m, "Weight")
      .def("__init__", &make_weight, "data"_a.noconvert(), "type"_a, "n"_a, "k"_a)
      .def_prop_ro("type", [](const WeightObject& w) { return WEIGHT_TYPES[w.weight.type].name; })
      .def_prop_ro("n", [](const WeightObject& w) { return w.weight.n; })
      .def_prop_ro("k", [](const WeightObject& w) { return w.weight.k; })
      .def("rows", &some_rows, "start"_a, "stop"_a);
  nb::class_<PackedObject>(m, "Packed")
      .def("__init__", &make_packed, "x"_a.noconvert(), "precision"_a = "auto");
  m.def("rms_norm_packed", &rms_norm_packed, "x"_a.noconvert(), "weight"_a.noconvert(), "eps"_a,
        "rstd"_a.noconvert(), nb::kw_only(), "precision"_a = "auto");
  m.def("gated_forward", &gated_forward, "gate"_a.noconvert(), "up"_a.noconvert(), nb::kw_only(),
        "activation"_a, "precision"_a = "auto");
  m.def("gated_backward", &gated_backward, "dout"_a.noconvert(), "gate"_a.noconvert(),
        "up"_a.noconvert(), nb::kw_only(), "activation"_a, "precision"_a = "auto");

  m.def("round_to_bf16", &round_to_bf16, "x"_a.noconvert(), "out"_a.noconvert());
  m.def("row_bytes", &row_bytes, "type"_a, "k"_a);
  m.def("dequantize", &dequantize, "w"_a, "out"_a.noconvert());
  m.def("dequantize_rows", &dequantize_rows, "w"_a, "rows"_a.noconvert(), "out"_a.noconvert());
  nb::class_<LoraObject>(m, "Lora")
      .def("__init__", &make_lora, "a"_a.noconvert(), "b"_a.noconvert(), "scale"_a,
           "da"_a.noconvert().none() = nb::none(), "db"_a.noconvert().none() = nb::none());
  m.def("linear_forward", &linear_forward, "x"_a, "w"_a, "y"_a.noconvert(), nb::kw_only(),
        "pairs"_a = Pairs(), "products"_a.noconvert() = Inner(),
        "plus"_a.noconvert().none() = nb::none(), "precision"_a = "auto");
  m.def("linear_backward", &linear_backward, "dy"_a, "w"_a, "dx"_a.noconvert().none(),
        nb::kw_only(), "pairs"_a = Pairs(), "products"_a.noconvert() = Inner(),
        "x"_a.none() = nb::none(), "accumulate"_a = false, "precision"_a = "auto");
}

}  // namespace ondevice
