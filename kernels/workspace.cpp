#include "workspace.h"

#include <cstddef>
#include <mutex>
#include <new>
#include <utility>

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

// Blocks that were released lately, to be handed out again. A training packs
// arrays of few sizes over and over.
constexpr std::size_t KEPT = 8;
std::mutex kept_entrance;
struct Block {
  void* memory;
  std::size_t bytes;
} kept[KEPT] = {};
std::size_t next_place = 0;

// The size of a block is written in front of it.
constexpr std::size_t FRONT = 64;

std::size_t& bytes_of(void* block) { return *static_cast<std::size_t*>(block); }

void* take_kept(std::size_t bytes) {
  const std::lock_guard lock(kept_entrance);
  for (Block& block : kept)
    if (block.memory && block.bytes >= bytes && block.bytes <= 2 * bytes)
      return std::exchange(block, {}).memory;
  return nullptr;
}

}  // namespace

void Release::operator()(float* p) const {
  void* memory = reinterpret_cast<char*>(p) - FRONT;
  {
    const std::lock_guard lock(kept_entrance);
    Block& place = kept[next_place++ % KEPT];
    memory = std::exchange(place, {memory, bytes_of(memory)}).memory;
  }
  if (memory) ::operator delete(memory, std::align_val_t{HUGE_PAGE});
}

// Products walk through megabytes with large strides: with small pages, much
// of their time would go into address translation.
Floats allocate(int64_t n) {
  const std::size_t bytes = std::size_t(n) * sizeof(float) + FRONT;
  void* memory = take_kept(bytes);
  if (!memory) {
    memory = ::operator new(bytes, std::align_val_t{HUGE_PAGE});
    bytes_of(memory) = bytes;
#if defined(__linux__)
    if (bytes >= HUGE_PAGE) madvise(memory, bytes / HUGE_PAGE * HUGE_PAGE, MADV_HUGEPAGE);
#endif
  }
  return Floats(reinterpret_cast<float*>(static_cast<char*>(memory) + FRONT));
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
