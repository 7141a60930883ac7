// Loss and optimizer.
#include "arguments.h"

namespace ondevice {
namespace {

double sum_of_squares(nb::ndarray<const float, nb::c_contig, nb::device::cpu> x) {
  const float* data = x.data();
  const auto n = int64_t(x.size());
  const Kernels& k = kernels();
  nb::gil_scoped_release unlocked;
  return k.sum_of_squares(data, n);
}

}  // namespace

void bind_loss(nb::module_& m) { m.def("sum_of_squares", &sum_of_squares, "x"_a.noconvert()); }

}  // namespace ondevice
