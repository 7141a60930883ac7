// Dequantizers: from the blocks of a GGUF file to float32, bit-exact with ggml's.
#pragma once

#include "weight_types.h"

namespace ondevice::KERNEL_ISA {

// Reads n values, a multiple of the type's block, from whole blocks.
using Dequantizer = void (*)(const uint8_t* blocks, int64_t n, float* out);
extern const Dequantizer DEQUANTIZERS[WEIGHT_TYPE_COUNT];

// out [count, K] = the rows named by rows, or the first count rows if it is null
void dequantize_rows(const Weight& w, const int32_t* rows, int64_t count, float* out);

}  // namespace ondevice::KERNEL_ISA
