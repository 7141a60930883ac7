// Gated activations of the feed-forward layer: SwiGLU and GeGLU.
#pragma once

#include <stdint.h>

namespace ondevice::KERNEL_ISA {

// out = activation(gate) * up, over n values; gelu chooses the tanh form of
// GELU instead of SiLU.
void gated_forward(const float* gate, const float* up, int64_t n, bool gelu, float* out);

// dgate may be gate, and dup may be up.
void gated_backward(const float* dout, const float* gate, const float* up, int64_t n, bool gelu,
                    float* dgate, float* dup);

}  // namespace ondevice::KERNEL_ISA
