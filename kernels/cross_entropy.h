// The loss over a frozen head.
#pragma once

#include "operands.h"

namespace ondevice::KERNEL_ISA {

// loss [S] = -log softmax(h Wᵀ)[target]; h [S, K], w [V, K], targets [S].
// dh [S, K], unless null, = weights[s] * d loss[s] / d h[s]; weights may be
// null for all ones.
void cross_entropy(const Packed& h, const Weight& w, const int32_t* targets, const float* weights,
                   float* loss, float* dh);

}  // namespace ondevice::KERNEL_ISA
