// Arguments that may be an array or a Python Packed.
#pragma once

#include "arguments.h"
#include "workspace.h"

namespace ondevice {

// A Python Packed: activations laid out once as the left side of several products.
struct PackedObject {
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
    } else {
      In<2> array;
      if (!nb::try_cast<In<2>>(argument, array, false))
        throw nb::type_error((std::string(name) +
                              " must be a C-contiguous float32 matrix or a Packed.").c_str());
      packed = k.plan(Side::LEFT, array.shape(0), array.shape(1), wants_bf16(precision, k));
      data = array.data();
    }
  }

  // Packs an array, in the workspace for that purpose; without the GIL.
  const Packed& ready(Purpose purpose = Purpose::INPUT) {
    if (!packed.words) {
      packed.words = workspace(purpose, kernels.words(packed));
      kernels.pack_rows(data, packed.length, packed);
    }
    return packed;
  }

  int64_t rows() const { return packed.vectors; }
  int64_t columns() const { return packed.length; }
  bool bf16() const { return packed.bf16; }

 private:
  const Kernels& kernels;
  Packed packed{};
  const float* data = nullptr;
};

}  // namespace ondevice
