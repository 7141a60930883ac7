// Rotary position embedding.
#pragma once

#include <stdint.h>

namespace ondevice::KERNEL_ISA {

// Rotates x [T, H, D] in place by the angles whose cosines and sines are
// cos, sin [T, P]: P pairs of each head, and what is beyond 2P stays as it is.
// Pairs are (2i, 2i + 1) if interleaved, else (i, i + P). Backward rotates the
// other way: the transpose of a rotation is its inverse.
void rope(float* x, const float* cos, const float* sin, int64_t t, int64_t h, int64_t d, int64_t p,
          bool interleaved, bool backward);

}  // namespace ondevice::KERNEL_ISA
