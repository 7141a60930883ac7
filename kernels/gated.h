// Gated activations of the feed-forward layer: SwiGLU and GeGLU.
#pragma once

#include "packed.h"

namespace ondevice::KERNEL_ISA {

// out [T, F] = activation(gate) * up, packed as a left side; gelu chooses the tanh
// form of GELU instead of SiLU.
void gated_forward(const float* gate, const float* up, bool gelu, const Packed& out);

// The gradients of gate and of up, packed as left sides.
void gated_backward(const float* dout, const float* gate, const float* up, bool gelu,
                    const Packed& dgate, const Packed& dup);

}  // namespace ondevice::KERNEL_ISA
