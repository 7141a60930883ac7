// Gated activations of the feed-forward layer: SwiGLU and GeGLU.
#pragma once

#include "packed.h"

namespace ondevice::KERNEL_ISA {

// out [T, F] = activation(gate) * up, packed as a left side; gelu chooses the tanh
// form of GELU instead of SiLU. gate and up are both in float32, or both in bfloat16.
void gated_forward(const Activations& gate, const Activations& up, bool gelu, const Packed& out);

// The gradients of gate and of up, packed as left sides.
void gated_backward(const float* dout, const Activations& gate, const Activations& up, bool gelu,
                    const Packed& dgate, const Packed& dup);

}  // namespace ondevice::KERNEL_ISA
