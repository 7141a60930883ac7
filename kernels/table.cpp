// Fills the table of kernels for the instruction set that this is compiled for.
#include "table.h"

#include "norms.h"

#define NAME_OF(isa) #isa
#define NAME(isa) NAME_OF(isa)

namespace ondevice::KERNEL_ISA {

// Constant-initialized: nothing of an instruction set runs when the module is loaded.
extern constexpr Kernels table = {
    .isa = NAME(KERNEL_ISA),
    .sum_of_squares = sum_of_squares,
};

}  // namespace ondevice::KERNEL_ISA
