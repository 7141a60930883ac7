#include "workspace.h"

#include <cstddef>
#include <new>

#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace ondevice {
namespace {

constexpr std::size_t HUGE_PAGE = 2 << 20;

struct Buffer {
  Floats memory;
  int64_t size = 0;
};

thread_local Buffer buffers[int(Purpose::COUNT)];

}  // namespace

void Release::operator()(float* p) const { ::operator delete(p, std::align_val_t{HUGE_PAGE}); }

// Products walk through megabytes with large strides: with small pages, much
// of their time would go into address translation.
Floats allocate(int64_t n) {
  const std::size_t bytes = std::size_t(n) * sizeof(float);
  void* memory = ::operator new(bytes, std::align_val_t{HUGE_PAGE});
#if defined(__linux__)
  if (bytes >= HUGE_PAGE) madvise(memory, bytes / HUGE_PAGE * HUGE_PAGE, MADV_HUGEPAGE);
#endif
  return Floats(static_cast<float*>(memory));
}

float* workspace(Purpose purpose, int64_t n) {
  Buffer& buffer = buffers[int(purpose)];
  if (buffer.size < n) {
    buffer = {};  // first, so that there are never both
    buffer.memory = allocate(n);
    buffer.size = n;
  }
  return buffer.memory.get();
}

}  // namespace ondevice
