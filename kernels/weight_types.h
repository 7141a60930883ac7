// The tensor types of GGUF files that the kernels read, and a matrix of such a type.
#pragma once

#include <stdint.h>

namespace ondevice {

// Values come in blocks of `values`, each stored in `bytes`.
struct WeightType {
  const char* name;
  int values;
  int bytes;
};

enum TypeIndex {
  F32, F16, BF16, Q8_0, Q4_0, Q4_1, Q5_0, Q5_1,
  Q2_K, Q3_K, Q4_K, Q5_K, Q6_K, IQ4_NL, IQ4_XS,
  WEIGHT_TYPE_COUNT
};

inline constexpr WeightType WEIGHT_TYPES[WEIGHT_TYPE_COUNT] = {
    {"F32", 1, 4},      {"F16", 1, 2},      {"BF16", 1, 2},     {"Q8_0", 32, 34},
    {"Q4_0", 32, 18},   {"Q4_1", 32, 20},   {"Q5_0", 32, 22},   {"Q5_1", 32, 24},
    {"Q2_K", 256, 84},  {"Q3_K", 256, 110}, {"Q4_K", 256, 144}, {"Q5_K", 256, 176},
    {"Q6_K", 256, 210}, {"IQ4_NL", 32, 18}, {"IQ4_XS", 256, 136}};

// A frozen matrix of n rows (outputs) of k values (inputs), as it lies in the file.
struct Weight {
  const uint8_t* data;
  TypeIndex type;
  int64_t n, k;

  int64_t block_values() const { return WEIGHT_TYPES[type].values; }
  int64_t row_bytes() const { return k / block_values() * WEIGHT_TYPES[type].bytes; }
  // Where the value at (row, column) is stored; column is a multiple of the block's values.
  const uint8_t* at(int64_t row, int64_t column) const {
    return data + row * row_bytes() + column / block_values() * WEIGHT_TYPES[type].bytes;
  }
  Weight rows(int64_t start, int64_t stop) const { return {at(start, 0), type, stop - start, k}; }
};

}  // namespace ondevice
