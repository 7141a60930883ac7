// Arguments that may be an array or a Python Packed.
#pragma once

#include "arguments.h"
#include "workspace.h"

namespace ondevice {

// A Python Packed: activations laid out once as the left side of several products.
struct PackedObject {
  In<2> source;
  const Kernels* set;
  Packed packed;
  Floats memory;
};

// An argument that may be an array or a Packed.
class Input {
 public:
  Input(const char* name, nb::handle argument, const std::string& precision, const Kernels& k)
      : kernels(k) {
    if (nb::isinstance<PackedObject>(argument)) {
      const auto& object = nb::cast<PackedObject&>(argument);
      check(object.set == &k, std::string(name) + " was packed for another instruction set.");
      packed = object.packed;
      array = object.source;
    } else {
      if (!nb::try_cast<In<2>>(argument, array, false))
        throw nb::type_error((std::string(name) +
                              " must be a C-contiguous float32 matrix or a Packed.").c_str());
      packed = k.plan(Side::LEFT, array.shape(0), array.shape(1), wants_bf16(precision, k));
    }
    data = array.data();
  }

  // Packs an array; without the GIL.
  const Packed& ready() {
    if (!packed.words) {
      packed.words = workspace(Purpose::INPUT, kernels.words(packed));
      kernels.pack_rows(data, packed.length, packed);
    }
    return packed;
  }

  int64_t rows() const { return packed.vectors; }
  int64_t columns() const { return packed.length; }
  const float* data;

 private:
  const Kernels& kernels;
  Packed packed{};
  In<2> array;
};

}  // namespace ondevice
