// The Python module ondevice._kernels. Checks every argument; the kernels check nothing.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/map.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <map>
#include <stdexcept>

#include "processor.h"
#include "thread_pool.h"

namespace nb = nanobind;
using namespace nb::literals;
using namespace ondevice;

namespace {

using Flat = nb::ndarray<const float, nb::c_contig, nb::device::cpu>;

std::map<std::string, bool> features() {
  const auto found = processor_features();
  return {found.begin(), found.end()};
}

double sum_of_squares(Flat x) {
  const float* data = x.data();
  const auto n = int64_t(x.size());
  const Kernels& k = kernels();
  nb::gil_scoped_release unlocked;
  return k.sum_of_squares(data, n);
}

}  // namespace

NB_MODULE(_kernels, m) {
  m.def("features", &features);
  m.def("available_isas", &available_isas);
  m.def("isa", [] { return std::string(kernels().isa); });
  m.def("use_isa", &use_isa, "name"_a);
  m.def("set_threads", [](int n) {
    if (n < 0) throw std::invalid_argument("The number of threads must not be negative.");
    set_threads(n);
  }, "n"_a);
  m.def("threads", &threads);
  m.def("sum_of_squares", &sum_of_squares, "x"_a);
}
