// What the bindings share: types of arguments, and checks that raise ValueError.
#pragma once

#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/variant.h>

#include <stdexcept>
#include <string>
#include <variant>

#include "processor.h"

namespace ondevice {

namespace nb = nanobind;
using namespace nb::literals;

template <class T, size_t DIMENSIONS>
using Array = nb::ndarray<T, nb::ndim<DIMENSIONS>, nb::c_contig, nb::device::cpu>;

// Never converted on the way in: an output must be the caller's own array, and
// a copy of an input would cost memory that nobody sees.
template <size_t DIMENSIONS> using In = Array<const float, DIMENSIONS>;
template <size_t DIMENSIONS> using Out = Array<float, DIMENSIONS>;
template <size_t DIMENSIONS> using InInts = Array<const int32_t, DIMENSIONS>;

// In float32, or in bfloat16: its bits.
template <size_t DIMENSIONS>
using InEither = std::variant<In<DIMENSIONS>, Array<const uint16_t, DIMENSIONS>>;
template <size_t DIMENSIONS>
using OutEither = std::variant<Out<DIMENSIONS>, Array<uint16_t, DIMENSIONS>>;

inline void check(bool fine, const std::string& otherwise) {
  if (!fine) throw std::invalid_argument(otherwise);
}

// check_shape("y", y, {t, n}): raises "y has shape (3, 4), but must have (3, 5)."
template <class A>
void check_shape(const char* name, const A& array, std::initializer_list<int64_t> wanted) {
  bool same = array.ndim() == wanted.size();
  std::string is, must;
  size_t i = 0;
  for (int64_t size : wanted) {
    same = same && int64_t(array.shape(i)) == size;
    is += (i ? ", " : "") + std::to_string(array.shape(i));
    must += (i ? ", " : "") + std::to_string(size);
    ++i;
  }
  check(same, std::string(name) + " has shape (" + is + "), but must have (" + must + ").");
}

template <class... A>
void check_shape(const char* name, const std::variant<A...>& array,
                 std::initializer_list<int64_t> wanted) {
  std::visit([&](const auto& a) { check_shape(name, a, wanted); }, array);
}

// Whether an array is in bfloat16.
template <class... A>
bool is_bf16(const char* name, const std::variant<A...>& array, const Kernels& k) {
  const bool bf16 = array.index() == 1;
  check(!bf16 || k.has_bf16,
        std::string(name) + " is in bfloat16, which the instruction set in use lacks.");
  return bf16;
}

template <class... A>
Activations activations(const char* name, const std::variant<A...>& array, const Kernels& k) {
  if (is_bf16(name, array, k)) return {nullptr, std::get<1>(array).data()};
  return {std::get<0>(array).data(), nullptr};
}

// Whether products are to be in bfloat16.
inline bool wants_bf16(const std::string& precision, const Kernels& k) {
  check(precision == "auto" || precision == "f32",
        "precision is '" + precision + "', but must be 'auto' or 'f32'.");
  return precision == "auto" && k.has_bf16;
}

void bind_linear(nb::module_& m);
void bind_layers(nb::module_& m);
void bind_attention(nb::module_& m);
void bind_loss(nb::module_& m);

// The frozen matrix behind a Python Weight; keeps its bytes alive.
struct WeightObject {
  Array<const uint8_t, 1> data;
  Weight weight;
};

}  // namespace ondevice
