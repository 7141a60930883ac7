// Products on the tile registers of Intel AMX: a register holds 16 rows of 16
// words, and one instruction multiplies two of them in bfloat16 and adds the
// result to a third, of float32. Four results at a time keep the unit busy while
// the operands of the next step are loaded.
#pragma once

#if defined(KERNEL_AMX)

#include "packed.h"

namespace ondevice::KERNEL_ISA {

constexpr int64_t SQUARE = LANES * LANES;  // words of a tile

// Claims the tile registers for the calling thread, as long as it lives. llama.cpp
// uses them too, and trusts that they keep the shapes it gave them.
class TileRegisters {
 public:
  TileRegisters() {
    _tile_storeconfig(&before);
    const Shapes ours{1, 0, {}, {64, 64, 64, 64, 64, 64, 64, 64}, {16, 16, 16, 16, 16, 16, 16, 16}};
    // The intrinsic tells the compiler of only a part of what it reads.
    __asm__ volatile("" ::"r"(&ours) : "memory");
    _tile_loadconfig(&ours);
  }
  ~TileRegisters() { _tile_loadconfig(&before); }
  TileRegisters(const TileRegisters&) = delete;
  TileRegisters& operator=(const TileRegisters&) = delete;

 private:
  struct alignas(64) Shapes {
    uint8_t palette, start_row, reserved[14];
    uint16_t row_bytes[16];
    uint8_t rows[16];
  } before;
};

// C [2 * 16, 2 * 16] = plus + A Bᵀ over `squares` squares; A and B are two groups
// each, a_next and b_next words apart. With ROWS or COLUMNS 1, only the first.
template <int ROWS, int COLUMNS>
void multiply_tiles(const float* a, int64_t a_next, const float* b, int64_t b_next,
                    int64_t squares, const float* plus, float* c, int64_t ldc) {
  constexpr int64_t ROW = LANES * sizeof(float);
  const int64_t c_row = ldc * int64_t(sizeof(float));
  float* c_below = c + LANES * ldc;
  const float* plus_below = plus + LANES * ldc;
  // The intrinsics do not tell the compiler that they read memory.
  __asm__ volatile("" ::: "memory");
  if (plus) {
    _tile_loadd(0, plus, c_row);
    if constexpr (COLUMNS > 1) _tile_loadd(1, plus + LANES, c_row);
    if constexpr (ROWS > 1) _tile_loadd(2, plus_below, c_row);
    if constexpr (ROWS > 1 && COLUMNS > 1) _tile_loadd(3, plus_below + LANES, c_row);
  } else {
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
  }
  for (int64_t s = 0; s < squares; ++s, a += SQUARE, b += SQUARE) {
    _tile_loadd(4, a, ROW);
    _tile_loadd(6, b, ROW);
    _tile_dpbf16ps(0, 4, 6);
    if constexpr (COLUMNS > 1) {
      _tile_loadd(7, b + b_next, ROW);
      _tile_dpbf16ps(1, 4, 7);
    }
    if constexpr (ROWS > 1) {
      _tile_loadd(5, a + a_next, ROW);
      _tile_dpbf16ps(2, 5, 6);
      if constexpr (COLUMNS > 1) _tile_dpbf16ps(3, 5, 7);
    }
  }
  _tile_stored(0, c, c_row);
  if constexpr (COLUMNS > 1) _tile_stored(1, c + LANES, c_row);
  if constexpr (ROWS > 1) _tile_stored(2, c_below, c_row);
  if constexpr (ROWS > 1 && COLUMNS > 1) _tile_stored(3, c_below + LANES, c_row);
  __asm__ volatile("" ::: "memory");
}

}  // namespace ondevice::KERNEL_ISA

#endif
