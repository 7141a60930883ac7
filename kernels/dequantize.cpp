// Every format stores integers q of 2 to 8 bits and says how to scale them:
//
//   *_0    one scale d for 32 values               d * (q - middle)
//   *_1    a scale d and an offset m for 32        d * q + m
//   *_K    256 values in sub-blocks of 16 or 32 with small integer scales (and
//          offsets), which are multiples of the block's own d (and dmin)
//   IQ4_*  q is an index into a table of 16 uneven steps
//
// The order of multiplications is part of the format: results are bit-exact,
// so no expression here may be rearranged or fused.
//
// Each block is taken in two steps: first its integers, as bytes, in loops that
// compilers turn into byte vectors; then scaling, with vectors of floats.
#include "dequantize.h"

#include <string.h>

#include "parallel.h"
#include "simd.h"

namespace ondevice::KERNEL_ISA {
namespace {

// ---- scaling ---------------------------------------------------------------

// out[i] = q[i] * d
template <int COUNT>
void scaled(const int8_t* q, float d, float* out) {
  const Vec step = splat(d);
  UNROLL for (int i = 0; i < COUNT; i += LANES) store(out + i, widen(q + i) * step);
}

// out[i] = (q[i] - middle) * d
template <int COUNT>
void centred(const int8_t* q, float middle, float d, float* out) {
  const Vec step = splat(d), zero_at = splat(middle);
  UNROLL for (int i = 0; i < COUNT; i += LANES) store(out + i, (widen(q + i) - zero_at) * step);
}

// out[i] = q[i] * d + m
template <int COUNT>
void scaled(const int8_t* q, float d, float m, float* out) {
  const Vec step = splat(d), offset = splat(m);
  UNROLL for (int i = 0; i < COUNT; i += LANES) store(out + i, widen(q + i) * step + offset);
}

// ---- bytes -----------------------------------------------------------------

// The 16 low nibbles of 16 bytes, and the 16 high ones.
void split(const uint8_t* p, int8_t* low, int8_t* high) {
#if defined(KERNEL_AVX2) || defined(KERNEL_AVX512BF16)
  const __m128i both = _mm_loadu_si128((const __m128i*)p), mask = _mm_set1_epi8(15);
  _mm_storeu_si128((__m128i*)low, _mm_and_si128(both, mask));
  _mm_storeu_si128((__m128i*)high, _mm_and_si128(_mm_srli_epi16(both, 4), mask));
#else
  for (int i = 0; i < 16; ++i) low[i] = int8_t(p[i] & 15);
  for (int i = 0; i < 16; ++i) high[i] = int8_t(p[i] >> 4);
#endif
}

// 2 * COUNT values: the low nibbles of COUNT bytes, then the high ones.
template <int COUNT>
void nibbles(const uint8_t* p, int8_t* q) {
  for (int i = 0; i < COUNT; i += 16) split(p + i, q + i, q + COUNT + i);
}

// Bit i of 32 becomes 16 in q[i].
void add_fifth_bits(const uint8_t* bits, int8_t* q) {
#if defined(KERNEL_AVX2) || defined(KERNEL_AVX512BF16)
  // Byte i gets the byte that holds its bit, and keeps that bit.
  const __m128i masks = _mm_set1_epi64x(int64_t(0x8040201008040201));
  const __m128i places = _mm_set_epi64x(0x0101010101010101, 0);
  for (int i = 0; i < 32; i += 16) {  // a load must not span two stores: it would wait for them
    uint16_t word;
    memcpy(&word, bits + i / 8, sizeof word);
    const __m128i held = _mm_and_si128(_mm_shuffle_epi8(_mm_set1_epi16(short(word)), places), masks);
    const __m128i set = _mm_and_si128(_mm_cmpeq_epi8(held, masks), _mm_set1_epi8(16));
    __m128i* at = (__m128i*)(q + i);
    _mm_storeu_si128(at, _mm_or_si128(_mm_loadu_si128(at), set));
  }
#else
  for (int i = 0; i < 32; ++i) q[i] = int8_t(q[i] | (bits[i / 8] >> (i % 8) & 1) << 4);
#endif
}

constexpr int8_t STEPS[16] = {-127, -104, -83, -65, -49, -35, -22, -10,
                              1,    13,   25,  38,  53,  69,  89,  113};

// q[i] = STEPS[q[i]], for 32 values
void uneven_steps(int8_t* q) {
#if defined(KERNEL_AVX2) || defined(KERNEL_AVX512BF16)
  const __m128i steps = _mm_loadu_si128((const __m128i*)STEPS);
  for (int i = 0; i < 32; i += 16) {
    __m128i* at = (__m128i*)(q + i);
    _mm_storeu_si128(at, _mm_shuffle_epi8(steps, _mm_loadu_si128(at)));
  }
#else
  for (int i = 0; i < 32; ++i) q[i] = STEPS[q[i]];
#endif
}

// ---- single values ---------------------------------------------------------

void f32(const uint8_t* p, int64_t n, float* out) { memcpy(out, p, size_t(n) * 4); }

void f16(const uint8_t* p, int64_t n, float* out) {
  int64_t i = 0;
  for (; i + LANES <= n; i += LANES) store(out + i, widen_halves(p + 2 * i));
  for (; i < n; ++i) out[i] = widen_half(p + 2 * i);
}

void bf16(const uint8_t* p, int64_t n, float* out) {
  for (int64_t i = 0; i < n; ++i) {
    uint16_t h;
    memcpy(&h, p + 2 * i, sizeof h);
    const uint32_t bits = uint32_t(h) << 16;
    memcpy(out + i, &bits, sizeof bits);
  }
}

// ---- blocks of 32 ----------------------------------------------------------

// { half d; int8 q[32] }
void q8_0(const uint8_t* p, float* out) {
  scaled<32>(reinterpret_cast<const int8_t*>(p + 2), widen_half(p), out);
}

// { half d; nibbles q[32] }: low nibbles are values 0..15, high nibbles 16..31
void q4_0(const uint8_t* p, float* out) {
  int8_t q[32];
  nibbles<16>(p + 2, q);
  centred<32>(q, 8, widen_half(p), out);
}

// { half d; half m; nibbles q[32] }
void q4_1(const uint8_t* p, float* out) {
  int8_t q[32];
  nibbles<16>(p + 4, q);
  scaled<32>(q, widen_half(p), widen_half(p + 2), out);
}

// { half d; bits high[32]; nibbles q[32] }
void q5_0(const uint8_t* p, float* out) {
  int8_t q[32];
  nibbles<16>(p + 6, q);
  add_fifth_bits(p + 2, q);
  centred<32>(q, 16, widen_half(p), out);
}

// { half d; half m; bits high[32]; nibbles q[32] }
void q5_1(const uint8_t* p, float* out) {
  int8_t q[32];
  nibbles<16>(p + 8, q);
  add_fifth_bits(p + 4, q);
  scaled<32>(q, widen_half(p), widen_half(p + 2), out);
}

// { half d; nibbles q[32] }
void iq4_nl(const uint8_t* p, float* out) {
  int8_t q[32];
  nibbles<16>(p + 2, q);
  uneven_steps(q);
  scaled<32>(q, widen_half(p), out);
}

// ---- blocks of 256 ---------------------------------------------------------

// { (4 bits scale, 4 bits offset)[16]; 2 bits q[256]; half d; half dmin }
// Bits 2s, 2s+1 of 32 bytes hold the values 32s .. 32s+31 of one half.
void q2_k(const uint8_t* p, float* out) {
  const float d = widen_half(p + 80), dmin = widen_half(p + 82);
  const uint8_t *scale = p, *bits = p + 16;
  for (int half = 0; half < 2; ++half, bits += 32) {
    for (int shift = 0; shift < 8; shift += 2, scale += 2, out += 32) {
      int8_t q[32];
      for (int i = 0; i < 32; ++i) q[i] = int8_t(bits[i] >> shift & 3);
      scaled<16>(q, d * (scale[0] & 15), -(dmin * (scale[0] >> 4)), out);
      scaled<16>(q + 16, d * (scale[1] & 15), -(dmin * (scale[1] >> 4)), out + 16);
    }
  }
}

// { bits high[256]; 2 bits q[256]; 6 bits scale[16]; half d }
void q3_k(const uint8_t* p, float* out) {
  const float d = widen_half(p + 108);
  const uint8_t *high = p, *bits = p + 32, *packed = p + 96;
  const auto step = [&](int s) {
    const int low4 = s < 8 ? packed[s] & 15 : packed[s - 8] >> 4;
    const int high2 = packed[8 + s % 4] >> (2 * (s / 4)) & 3;
    return d * float((low4 | high2 << 4) - 32);
  };
  for (int s = 0; s < 16; s += 2, out += 32) {
    const int shift = s % 8, bit = s / 2;
    const uint8_t* low = bits + 32 * (s / 8);
    int8_t q[32];
    for (int i = 0; i < 32; ++i)
      q[i] = int8_t((low[i] >> shift & 3) + ((high[i] >> bit & 1) << 2) - 4);
    scaled<16>(q, step(s), out);
    scaled<16>(q + 16, step(s + 1), out + 16);
  }
}

// Sub-block s of Q4_K and Q5_K: six bits each of scale and offset. The first
// four are in the low bits of bytes 0..3 and 4..7; the others have four bits
// in bytes 8..11 and two in the top of the first eight.
struct ScaleAndOffset { float scale, offset; };
ScaleAndOffset six_bits(const uint8_t* packed, int s) {
  if (s < 4) return {float(packed[s] & 63), float(packed[s + 4] & 63)};
  return {float((packed[s + 4] & 15) | (packed[s - 4] >> 6) << 4),
          float((packed[s + 4] >> 4) | (packed[s] >> 6) << 4)};
}

// { half d; half dmin; 6 bits (scale, offset)[8]; nibbles q[256] }
void q4_k(const uint8_t* p, float* out) {
  const float d = widen_half(p), dmin = widen_half(p + 2);
  const uint8_t *packed = p + 4, *bits = p + 16;
  for (int s = 0; s < 8; s += 2, bits += 32, out += 64) {
    int8_t q[64];
    nibbles<32>(bits, q);
    const ScaleAndOffset low = six_bits(packed, s), high = six_bits(packed, s + 1);
    scaled<32>(q, d * low.scale, -(dmin * low.offset), out);
    scaled<32>(q + 32, d * high.scale, -(dmin * high.offset), out + 32);
  }
}

// { half d; half dmin; 6 bits (scale, offset)[8]; bits high[256]; nibbles q[256] }
void q5_k(const uint8_t* p, float* out) {
  const float d = widen_half(p), dmin = widen_half(p + 2);
  const uint8_t *packed = p + 4, *fifth = p + 16, *bits = p + 48;
  for (int s = 0; s < 8; s += 2, bits += 32, out += 64) {
    int8_t q[64];
    for (int i = 0; i < 32; ++i)
      q[i] = int8_t((bits[i] & 15) | (fifth[i] >> s & 1) << 4);
    for (int i = 0; i < 32; ++i)
      q[32 + i] = int8_t((bits[i] >> 4) | (fifth[i] >> (s + 1) & 1) << 4);
    const ScaleAndOffset low = six_bits(packed, s), high = six_bits(packed, s + 1);
    scaled<32>(q, d * low.scale, -(dmin * low.offset), out);
    scaled<32>(q + 32, d * high.scale, -(dmin * high.offset), out + 32);
  }
}

// { nibbles low[256]; 2 bits high[256]; int8 scale[16]; half d }
void q6_k(const uint8_t* p, float* out) {
  const float d = widen_half(p + 208);
  const uint8_t *low = p, *high = p + 128;
  const int8_t* scale = reinterpret_cast<const int8_t*>(p + 192);
  for (int half = 0; half < 2; ++half, low += 64, high += 32) {
    for (int quarter = 0; quarter < 4; ++quarter, scale += 2, out += 32) {
      const uint8_t* bits = low + 32 * (quarter % 2);
      const int shift = 4 * (quarter / 2), high_shift = 2 * quarter;
      int8_t q[32];
      for (int i = 0; i < 32; ++i)
        q[i] = int8_t(((bits[i] >> shift & 15) | (high[i] >> high_shift & 3) << 4) - 32);
      scaled<16>(q, d * scale[0], out);
      scaled<16>(q + 16, d * scale[1], out + 16);
    }
  }
}

// { half d; 2 bits scale_high[8]; 4 bits scale_low[8]; nibbles q[256] }
void iq4_xs(const uint8_t* p, float* out) {
  const float d = widen_half(p);
  uint16_t scale_high;
  memcpy(&scale_high, p + 2, sizeof scale_high);
  for (int s = 0; s < 8; ++s) {
    const int low4 = p[4 + s / 2] >> (4 * (s % 2)) & 15;
    const int high2 = scale_high >> (2 * s) & 3;
    int8_t q[32];
    nibbles<16>(p + 8 + 16 * s, q);
    uneven_steps(q);
    scaled<32>(q, d * ((low4 | high2 << 4) - 32), out + 32 * s);
  }
}

template <TypeIndex TYPE, void (*BLOCK)(const uint8_t*, float*)>
void each_block(const uint8_t* p, int64_t n, float* out) {
  constexpr WeightType type = WEIGHT_TYPES[TYPE];
  for (int64_t i = 0; i < n; i += type.values, p += type.bytes) BLOCK(p, out + i);
}

}  // namespace

extern constexpr Dequantizer DEQUANTIZERS[WEIGHT_TYPE_COUNT] = {
    f32,                    f16,                    bf16,
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
