#include "workspace.h"

#include <memory>
#include <new>

namespace ondevice {
namespace {

constexpr std::align_val_t LINE{64};

struct Release {
  void operator()(float* p) const { ::operator delete(p, LINE); }
};

struct Buffer {
  std::unique_ptr<float, Release> memory;
  int64_t size = 0;
};

thread_local Buffer buffers[int(Purpose::COUNT)];

}  // namespace

float* workspace(Purpose purpose, int64_t n) {
  Buffer& buffer = buffers[int(purpose)];
  if (buffer.size < n) {
    buffer.memory.reset();
    buffer.size = 0;
    buffer.memory.reset(static_cast<float*>(::operator new(size_t(n) * sizeof(float), LINE)));
    buffer.size = n;
  }
  return buffer.memory.get();
}

}  // namespace ondevice
