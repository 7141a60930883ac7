// Fills the table of kernels for the instruction set that this is compiled for.
#include "table.h"

#include "dequantize.h"
#include "linear.h"
#include "norms.h"
#include "packed.h"
#include "peak.h"

#define NAME_OF(isa) #isa
#define NAME(isa) NAME_OF(isa)

namespace ondevice::KERNEL_ISA {

// Constant-initialized: nothing of an instruction set runs when the module is loaded.
extern constexpr Kernels table = {
    .isa = NAME(KERNEL_ISA),
    .has_bf16 = HAS_BF16,
    .multiply_adds_in_registers = multiply_adds_in_registers,
    .dequantize_rows = dequantize_rows,
    .plan = plan,
    .words = words,
    .pack_rows = pack_rows,
    .linear_forward = linear_forward,
    .linear_backward = linear_backward,
    .lora_forward = lora_forward,
    .lora_backward = lora_backward,
    .sum_of_squares = sum_of_squares,
};

}  // namespace ondevice::KERNEL_ISA
