// The Python module ondevice._kernels. Bindings check every argument; kernels check nothing.
#include <nanobind/stl/map.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <chrono>
#include <map>

#include "arguments.h"
#include "thread_pool.h"

namespace ondevice {
namespace {

std::map<std::string, bool> features() {
  const auto found = processor_features();
  return {found.begin(), found.end()};
}

void choose_threads(int n) {
  check(n >= 0, "The number of threads must not be negative.");
  set_threads(n);
}

// The best of many short runs: a longer one would catch other programs' time.
double peak(const std::string& dtype, double seconds) {
  check(dtype == "f32" || dtype == "bf16", "dtype must be 'f32' or 'bf16'.");
  const Kernels& k = kernels();
  const int jobs = threads();
  std::vector<float> sink(jobs);
  nb::gil_scoped_release unlocked;
  using Clock = std::chrono::steady_clock;
  const auto since = [](Clock::time_point t) {
    return std::chrono::duration<double>(Clock::now() - t).count();
  };
  double best = 0;
  for (const auto begin = Clock::now(); since(begin) < seconds;) {
    const auto start = Clock::now();
    const int64_t done = k.multiply_adds_in_registers(dtype == "bf16", jobs, 1 << 18, sink.data());
    best = std::max(best, 2e-9 * double(done) / since(start));
  }
  return best;
}

}  // namespace
}  // namespace ondevice

NB_MODULE(_kernels, m) {
  using namespace ondevice;
  m.attr("source_sha256") = KERNEL_SOURCE_SHA256;
  m.def("features", &features);
  m.def("available_isas", &available_isas);
  m.def("isa", [] { return std::string(kernels().isa); });
  m.def("has_bf16", [] { return kernels().has_bf16; });
  m.def("use_isa", &use_isa, "name"_a);
  m.def("set_threads", &choose_threads, "n"_a);
  m.def("threads", &threads);
  m.def("peak", &peak, "dtype"_a, "seconds"_a = 0.3);
  bind_linear(m);
  bind_layers(m);
  bind_attention(m);
  bind_loss(m);
}
