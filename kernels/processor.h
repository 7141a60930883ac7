// What this machine's processor can do, and which compiled set of kernels runs.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "table.h"

namespace ondevice {

// Features by name, in a fixed order; true only if the operating system also
// saves the registers that the feature uses.
std::vector<std::pair<std::string, bool>> processor_features();

// Names of the instruction sets that were compiled in and that this machine
// can run, slowest first. Always begins with "portable".
std::vector<std::string> available_isas();

// The kernels in use. On first use they are chosen by ONDEVICE_ISA, or else
// are the fastest ones; throws std::invalid_argument if ONDEVICE_ISA names a
// set that is unknown, was not compiled in, or that this machine lacks.
const Kernels& kernels();

// Switches to another instruction set; throws std::invalid_argument likewise.
void use_isa(const std::string& name);

}  // namespace ondevice
