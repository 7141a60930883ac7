// What the processor can do at the most, to compare kernels with.
#pragma once

#include <stdint.h>

namespace ondevice::KERNEL_ISA {

// Runs independent chains of multiply-adds, `rounds` long, in `jobs` jobs that
// write to sink [jobs]; returns how many multiply-adds that were.
int64_t multiply_adds_in_registers(bool bf16, int64_t jobs, int64_t rounds, float* sink);

}  // namespace ondevice::KERNEL_ISA
