// Fills the table of kernels for the instruction set that this is compiled for.
#include "table.h"

#include "adamw.h"
#include "attention.h"
#include "cross_entropy.h"
#include "dequantize.h"
#include "gated.h"
#include "linear.h"
#include "norms.h"
#include "packed.h"
#include "peak.h"
#include "rope.h"

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
    .pack_rows = pack_rows<float>,
    .pack_rows_of_bf16 = pack_rows<uint16_t>,
    .round_to_bf16 = round_to_bf16,
    .linear_forward = linear_forward,
    .linear_backward = linear_backward,
    .rms_norm_forward = rms_norm_forward,
    .rms_norm_packed = rms_norm_packed,
    .rms_norm_backward = rms_norm_backward,
    .rope = rope,
    .gated_forward = gated_forward,
    .gated_backward = gated_backward,
    .attention_forward = attention_forward,
    .attention_backward = attention_backward,
    .cross_entropy = cross_entropy,
    .adamw = adamw,
    .sum_of_squares = sum_of_squares,
};

}  // namespace ondevice::KERNEL_ISA
