// Every format stores integers q of 2 to 8 bits and says how to scale them:
//
//   *_0    one scale d for 32 values               d * (q - middle)
//   *_1    a scale d and an offset m for 32        d * q + m
//   *_K    256 values in sub-blocks of 16 or 32 with small integer scales (and
//          offsets), which are multiples of the block's own d (and dmin)
//   IQ4_*  q is an index into a table of 16 uneven steps
//
// The order of multiplications is part of the format: results are bit-exact,
// so no expression here may be rearranged or fused. The loops over 16 or 32
// values have constant bounds and no branches, and compilers vectorize them.
#include "dequantize.h"

#include <string.h>

#include "parallel.h"
#include "simd.h"

namespace ondevice::KERNEL_ISA {
namespace {

float half_at(const uint8_t* p) {
  uint16_t h;
  memcpy(&h, p, sizeof h);
#if defined(KERNEL_AVX2) || defined(KERNEL_AVX512BF16)
  return _mm_cvtss_f32(_mm_cvtph_ps(_mm_cvtsi32_si128(h)));
#else
  // Shift exponent and mantissa into place; multiplying by 2^112 corrects the
  // exponent's bias and makes subnormals right; infinity and NaN are patched.
  uint32_t bits = uint32_t(h & 0x7fff) << 13;
  float x;
  memcpy(&x, &bits, sizeof x);
  x *= 5.192296858534828e33f;
  memcpy(&bits, &x, sizeof x);
  if ((h & 0x7c00) == 0x7c00) bits = 0x7f800000u | uint32_t(h & 0x3ff) << 13;
  bits |= uint32_t(h & 0x8000) << 16;
  memcpy(&x, &bits, sizeof x);
  return x;
#endif
}

void f32(const uint8_t* p, float* out) { memcpy(out, p, 4); }

void f16(const uint8_t* p, float* out) { *out = half_at(p); }

void bf16(const uint8_t* p, float* out) {
  uint16_t h;
  memcpy(&h, p, sizeof h);
  const uint32_t bits = uint32_t(h) << 16;
  memcpy(out, &bits, sizeof bits);
}

// ---- blocks of 32 ----------------------------------------------------------

// { half d; int8 q[32] }
void q8_0(const uint8_t* p, float* out) {
  const float d = half_at(p);
  const int8_t* q = reinterpret_cast<const int8_t*>(p + 2);
  for (int i = 0; i < 32; ++i) out[i] = q[i] * d;
}

// { half d; nibbles q[32] }: low nibbles are values 0..15, high nibbles 16..31
void q4_0(const uint8_t* p, float* out) {
  const float d = half_at(p);
  const uint8_t* q = p + 2;
  for (int i = 0; i < 16; ++i) {
    out[i] = ((q[i] & 15) - 8) * d;
    out[i + 16] = ((q[i] >> 4) - 8) * d;
  }
}

// { half d; half m; nibbles q[32] }
void q4_1(const uint8_t* p, float* out) {
  const float d = half_at(p), m = half_at(p + 2);
  const uint8_t* q = p + 4;
  for (int i = 0; i < 16; ++i) {
    out[i] = (q[i] & 15) * d + m;
    out[i + 16] = (q[i] >> 4) * d + m;
  }
}

// The 16 or 32 of a Q5 block's fifth bits, which are bit i of `high`.
int fifth_bit(uint32_t high, int i) { return int(high >> i & 1) << 4; }

// { half d; bits high[32]; nibbles q[32] }
void q5_0(const uint8_t* p, float* out) {
  const float d = half_at(p);
  uint32_t high;
  memcpy(&high, p + 2, sizeof high);
  const uint8_t* q = p + 6;
  for (int i = 0; i < 16; ++i) {
    out[i] = (((q[i] & 15) | fifth_bit(high, i)) - 16) * d;
    out[i + 16] = (((q[i] >> 4) | fifth_bit(high, i + 16)) - 16) * d;
  }
}

// { half d; half m; bits high[32]; nibbles q[32] }
void q5_1(const uint8_t* p, float* out) {
  const float d = half_at(p), m = half_at(p + 2);
  uint32_t high;
  memcpy(&high, p + 4, sizeof high);
  const uint8_t* q = p + 8;
  for (int i = 0; i < 16; ++i) {
    out[i] = ((q[i] & 15) | fifth_bit(high, i)) * d + m;
    out[i + 16] = ((q[i] >> 4) | fifth_bit(high, i + 16)) * d + m;
  }
}

// ---- blocks of 256 ---------------------------------------------------------

// { (4 bits scale, 4 bits offset)[16]; 2 bits q[256]; half d; half dmin }
// Bits 2s, 2s+1 of 32 bytes hold the values 32s .. 32s+31 of one half.
void q2_k(const uint8_t* p, float* out) {
  const float d = half_at(p + 80), dmin = half_at(p + 82);
  const uint8_t* scale = p;
  const uint8_t* q = p + 16;
  for (int half = 0; half < 2; ++half, q += 32) {
    for (int shift = 0; shift < 8; shift += 2) {
      for (int part = 0; part < 2; ++part, ++scale, out += 16) {
        const float step = d * (*scale & 15), offset = dmin * (*scale >> 4);
        for (int i = 0; i < 16; ++i) out[i] = step * (q[16 * part + i] >> shift & 3) - offset;
      }
    }
  }
}

// { bits high[256]; 2 bits q[256]; 6 bits scale[16]; half d }
void q3_k(const uint8_t* p, float* out) {
  const float d = half_at(p + 108);
  const uint8_t *high = p, *q = p + 32, *packed = p + 96;
  for (int half = 0, s = 0; half < 2; ++half, q += 32) {
    for (int shift = 0; shift < 8; shift += 2) {
      const int bit = 4 * half + shift / 2;
      for (int part = 0; part < 2; ++part, ++s, out += 16) {
        const int low4 = s < 8 ? packed[s] & 15 : packed[s - 8] >> 4;
        const int high2 = packed[8 + s % 4] >> (2 * (s / 4)) & 3;
        const float step = d * ((low4 | high2 << 4) - 32);
        for (int i = 0; i < 16; ++i) {
          const int third = (high[16 * part + i] >> bit & 1) << 2;
          out[i] = step * ((q[16 * part + i] >> shift & 3) + third - 4);
        }
      }
    }
  }
}

// Sub-block s of Q4_K and Q5_K: six bits each of scale and offset. The first
// four are in the low bits of bytes 0..3 and 4..7; the others have four bits
// in bytes 8..11 and two in the top of the first eight.
struct ScaleAndOffset { int scale, offset; };
ScaleAndOffset six_bits(const uint8_t* packed, int s) {
  if (s < 4) return {packed[s] & 63, packed[s + 4] & 63};
  return {(packed[s + 4] & 15) | (packed[s - 4] >> 6) << 4,
          (packed[s + 4] >> 4) | (packed[s] >> 6) << 4};
}

// { half d; half dmin; 6 bits (scale, offset)[8]; nibbles q[256] }
void q4_k(const uint8_t* p, float* out) {
  const float d = half_at(p), dmin = half_at(p + 2);
  const uint8_t *packed = p + 4, *q = p + 16;
  for (int s = 0; s < 8; s += 2, q += 32, out += 64) {
    const ScaleAndOffset low = six_bits(packed, s), high = six_bits(packed, s + 1);
    const float low_step = d * low.scale, low_offset = dmin * low.offset;
    const float high_step = d * high.scale, high_offset = dmin * high.offset;
    for (int i = 0; i < 32; ++i) out[i] = low_step * (q[i] & 15) - low_offset;
    for (int i = 0; i < 32; ++i) out[i + 32] = high_step * (q[i] >> 4) - high_offset;
  }
}

// { half d; half dmin; 6 bits (scale, offset)[8]; bits high[256]; nibbles q[256] }
void q5_k(const uint8_t* p, float* out) {
  const float d = half_at(p), dmin = half_at(p + 2);
  const uint8_t *packed = p + 4, *high = p + 16, *q = p + 48;
  for (int s = 0; s < 8; s += 2, q += 32, out += 64) {
    const ScaleAndOffset a = six_bits(packed, s), b = six_bits(packed, s + 1);
    const float a_step = d * a.scale, a_offset = dmin * a.offset;
    const float b_step = d * b.scale, b_offset = dmin * b.offset;
    for (int i = 0; i < 32; ++i)
      out[i] = a_step * ((q[i] & 15) + ((high[i] >> s & 1) << 4)) - a_offset;
    for (int i = 0; i < 32; ++i)
      out[i + 32] = b_step * ((q[i] >> 4) + ((high[i] >> (s + 1) & 1) << 4)) - b_offset;
  }
}

// { nibbles low[256]; 2 bits high[256]; int8 scale[16]; half d }
void q6_k(const uint8_t* p, float* out) {
  const float d = half_at(p + 208);
  const uint8_t *low = p, *high = p + 128;
  const int8_t* scale = reinterpret_cast<const int8_t*>(p + 192);
  for (int half = 0; half < 2; ++half, low += 64, high += 32) {
    for (int quarter = 0; quarter < 4; ++quarter) {
      const uint8_t* nibbles = low + 32 * (quarter % 2);
      const int shift = 4 * (quarter / 2);
      for (int part = 0; part < 2; ++part, ++scale, out += 16) {
        const float step = d * *scale;
        for (int i = 0; i < 16; ++i) {
          const int j = 16 * part + i;
          const int q = (nibbles[j] >> shift & 15) | (high[j] >> (2 * quarter) & 3) << 4;
          out[i] = step * (q - 32);
        }
      }
    }
  }
}

// ---- uneven steps ----------------------------------------------------------

constexpr int8_t STEPS[16] = {-127, -104, -83, -65, -49, -35, -22, -10,
                              1,    13,   25,  38,  53,  69,  89,  113};

// 32 values, each d times the step that its nibble names
void uneven_steps(const uint8_t* q, float d, float* out) {
  for (int i = 0; i < 16; ++i) {
    out[i] = d * STEPS[q[i] & 15];
    out[i + 16] = d * STEPS[q[i] >> 4];
  }
}

// { half d; nibbles q[32] }
void iq4_nl(const uint8_t* p, float* out) { uneven_steps(p + 2, half_at(p), out); }

// { half d; 2 bits scale_high[8]; 4 bits scale_low[8]; nibbles q[256] }
void iq4_xs(const uint8_t* p, float* out) {
  const float d = half_at(p);
  uint16_t scale_high;
  memcpy(&scale_high, p + 2, sizeof scale_high);
  for (int s = 0; s < 8; ++s) {
    const int low4 = p[4 + s / 2] >> (4 * (s % 2)) & 15;
    const int high2 = scale_high >> (2 * s) & 3;
    uneven_steps(p + 8 + 16 * s, d * ((low4 | high2 << 4) - 32), out + 32 * s);
  }
}

template <TypeIndex TYPE, void (*BLOCK)(const uint8_t*, float*)>
void each_block(const uint8_t* p, int64_t n, float* out) {
  constexpr WeightType type = WEIGHT_TYPES[TYPE];
  for (int64_t i = 0; i < n; i += type.values, p += type.bytes) BLOCK(p, out + i);
}

}  // namespace

extern constexpr Dequantizer DEQUANTIZERS[WEIGHT_TYPE_COUNT] = {
    each_block<F32, f32>,   each_block<F16, f16>,   each_block<BF16, bf16>,
    each_block<Q8_0, q8_0>, each_block<Q4_0, q4_0>, each_block<Q4_1, q4_1>,
    each_block<Q5_0, q5_0>, each_block<Q5_1, q5_1>, each_block<Q2_K, q2_k>,
    each_block<Q3_K, q3_k>, each_block<Q4_K, q4_k>, each_block<Q5_K, q5_k>,
    each_block<Q6_K, q6_k>, each_block<IQ4_NL, iq4_nl>, each_block<IQ4_XS, iq4_xs>};

void dequantize_rows(const Weight& w, const int32_t* rows, int64_t count, float* out) {
  constexpr int64_t ROWS = 16;
  parallel(blocks(count, ROWS), [&](int64_t job) {
    for (int64_t i = job * ROWS; i < min(count, (job + 1) * ROWS); ++i)
      DEQUANTIZERS[w.type](w.at(rows ? rows[i] : i, 0), w.k, out + i * w.k);
  });
}

}  // namespace ondevice::KERNEL_ISA
