// Vectors of float32, one small vocabulary for every instruction set.
//
//   Vec                    a register of LANES floats
//   load, store            LANES floats, unaligned
//   load_some, store_some  only the first n floats; the other lanes are zero
//                          all four also for bfloat16, rounded to nearest even
//   widen, widen_halves    from LANES int8 or float16; widen_half from one
//   splat, fma             fma(a, b, c) is a * b + c, rounded once where the machine can
//   sum, largest           over the lanes
//   transpose              LANES vectors, as a square, in place
//   exp                    within 2 units in the last place; 0 below -87.3
//   power_of_2             2^x within 2 units in the last place for x <= 127; 0 far below
//
// Files that include this are compiled once per instruction set, so everything
// lives in the namespace KERNEL_ISA. Nothing from the standard library's
// templates may be used in those files: the linker keeps one copy of each
// template instance, and it might keep the one that this machine cannot run.
#pragma once

#include <math.h>
#include <stdint.h>
#include <string.h>

#if defined(KERNEL_AMX)  // AVX-512 with BF16, and tiles for products: tiles.h
#define KERNEL_AVX512BF16
#endif

#if defined(KERNEL_AVX2) || defined(KERNEL_AVX512BF16)
#include <immintrin.h>
#elif defined(KERNEL_NEON)
#include <arm_neon.h>
#endif

// Before a loop over an array of registers, which must not go through memory.
#if defined(__clang__)
#define UNROLL _Pragma("clang loop unroll(full)")
#elif defined(__GNUC__)
#define UNROLL _Pragma("GCC unroll 16")
#else
#define UNROLL
#endif

namespace ondevice::KERNEL_ISA {

#if defined(KERNEL_AVX512BF16)

constexpr int LANES = 16;
struct Vec { __m512 v; };
inline Vec splat(float x) { return {_mm512_set1_ps(x)}; }
inline Vec load(const float* p) { return {_mm512_loadu_ps(p)}; }
inline void store(float* p, Vec a) { _mm512_storeu_ps(p, a.v); }
inline Vec widen(const int8_t* p) {
  return {_mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128((const __m128i*)p)))};
}
inline float widen_half(const uint8_t* p) {
  uint16_t h;
  memcpy(&h, p, sizeof h);
  return _mm_cvtss_f32(_mm_cvtph_ps(_mm_cvtsi32_si128(h)));
}
inline Vec widen_halves(const uint8_t* p) {
  return {_mm512_cvtph_ps(_mm256_loadu_si256((const __m256i*)p))};
}
inline Vec load_some(const float* p, int64_t n) {
  return {_mm512_maskz_loadu_ps(__mmask16((1u << n) - 1), p)};
}
inline void store_some(float* p, Vec a, int64_t n) {
  _mm512_mask_storeu_ps(p, __mmask16((1u << n) - 1), a.v);
}
inline Vec operator+(Vec a, Vec b) { return {_mm512_add_ps(a.v, b.v)}; }
inline Vec operator-(Vec a, Vec b) { return {_mm512_sub_ps(a.v, b.v)}; }
inline Vec operator*(Vec a, Vec b) { return {_mm512_mul_ps(a.v, b.v)}; }
inline Vec operator/(Vec a, Vec b) { return {_mm512_div_ps(a.v, b.v)}; }
inline Vec fma(Vec a, Vec b, Vec c) { return {_mm512_fmadd_ps(a.v, b.v, c.v)}; }
inline Vec max(Vec a, Vec b) { return {_mm512_max_ps(a.v, b.v)}; }
inline Vec min(Vec a, Vec b) { return {_mm512_min_ps(a.v, b.v)}; }
inline Vec sqrt(Vec a) { return {_mm512_sqrt_ps(a.v)}; }
inline Vec round(Vec a) { return {_mm512_roundscale_ps(a.v, _MM_FROUND_TO_NEAREST_INT)}; }
// x * 2^n, for whole n; zero for ZERO_POWER
constexpr float ZERO_POWER = -160;
inline Vec scale_by_power_of_2(Vec x, Vec n) { return {_mm512_scalef_ps(x.v, n.v)}; }
inline float sum(Vec a) { return _mm512_reduce_add_ps(a.v); }
inline float largest(Vec a) { return _mm512_reduce_max_ps(a.v); }
inline void transpose(Vec r[LANES]) {
  __m512 t[LANES], u[LANES];
  UNROLL for (int i = 0; i < 16; i += 2) {  // pairs of rows
    t[i] = _mm512_unpacklo_ps(r[i].v, r[i + 1].v);
    t[i + 1] = _mm512_unpackhi_ps(r[i].v, r[i + 1].v);
  }
  UNROLL for (int i = 0; i < 16; i += 4) {  // 4 x 4 squares
    for (int j = 0; j < 2; ++j) {
      const __m512d a = _mm512_castps_pd(t[i + j]), b = _mm512_castps_pd(t[i + j + 2]);
      u[i + 2 * j] = _mm512_castpd_ps(_mm512_unpacklo_pd(a, b));
      u[i + 2 * j + 1] = _mm512_castpd_ps(_mm512_unpackhi_pd(a, b));
    }
  }
  UNROLL for (int i = 0; i < 4; ++i) {  // squares to their places
    const __m512 ab_even = _mm512_shuffle_f32x4(u[i], u[i + 4], 0x88);
    const __m512 ab_odd = _mm512_shuffle_f32x4(u[i], u[i + 4], 0xdd);
    const __m512 cd_even = _mm512_shuffle_f32x4(u[i + 8], u[i + 12], 0x88);
    const __m512 cd_odd = _mm512_shuffle_f32x4(u[i + 8], u[i + 12], 0xdd);
    r[i].v = _mm512_shuffle_f32x4(ab_even, cd_even, 0x88);
    r[i + 8].v = _mm512_shuffle_f32x4(ab_even, cd_even, 0xdd);
    r[i + 4].v = _mm512_shuffle_f32x4(ab_odd, cd_odd, 0x88);
    r[i + 12].v = _mm512_shuffle_f32x4(ab_odd, cd_odd, 0xdd);
  }
}
// 32 entries as 16 pairs in bfloat16, rounded to nearest even
inline Vec bf16_pairs(Vec first, Vec second) {
  return {_mm512_castsi512_ps((__m512i)_mm512_cvtne2ps_pbh(second.v, first.v))};
}
// pair i is (low[i], high[i])
inline Vec interleaved_bf16(Vec low, Vec high) {
  const __m512i shuffle = _mm512_set_epi16(
      31, 15, 30, 14, 29, 13, 28, 12, 27, 11, 26, 10, 25, 9, 24, 8,
      23, 7, 22, 6, 21, 5, 20, 4, 19, 3, 18, 2, 17, 1, 16, 0);
  const __m512i halves = (__m512i)_mm512_cvtne2ps_pbh(high.v, low.v);
  return {_mm512_castsi512_ps(_mm512_permutexvar_epi16(shuffle, halves))};
}
// From the 32 entries of a and of b, pair i is (a[i], b[i]): the first 16 pairs, and the others.
inline void pair_up_bf16(Vec a, Vec b, Vec& first, Vec& second) {
  const __m512i low = _mm512_set_epi16(
      47, 15, 46, 14, 45, 13, 44, 12, 43, 11, 42, 10, 41, 9, 40, 8,
      39, 7, 38, 6, 37, 5, 36, 4, 35, 3, 34, 2, 33, 1, 32, 0);
  const __m512i high = _mm512_add_epi16(low, _mm512_set1_epi16(16));
  const __m512i x = _mm512_castps_si512(a.v), y = _mm512_castps_si512(b.v);
  first.v = _mm512_castsi512_ps(_mm512_permutex2var_epi16(x, low, y));
  second.v = _mm512_castsi512_ps(_mm512_permutex2var_epi16(x, high, y));
}
inline Vec fma_bf16(Vec a, Vec b, Vec c) {
  return {_mm512_dpbf16_ps(c.v, (__m512bh)_mm512_castps_si512(a.v),
                           (__m512bh)_mm512_castps_si512(b.v))};
}
inline Vec widen_bf16(__m256i halves) {
  return {_mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(halves), 16))};
}
inline Vec load(const uint16_t* p) { return widen_bf16(_mm256_loadu_si256((const __m256i*)p)); }
inline Vec load_some(const uint16_t* p, int64_t n) {
  return widen_bf16(_mm256_maskz_loadu_epi16(__mmask16((1u << n) - 1), p));
}
inline void store(uint16_t* p, Vec a) {
  _mm256_storeu_si256((__m256i*)p, (__m256i)_mm512_cvtneps_pbh(a.v));
}
inline void store_some(uint16_t* p, Vec a, int64_t n) {
  _mm256_mask_storeu_epi16(p, __mmask16((1u << n) - 1), (__m256i)_mm512_cvtneps_pbh(a.v));
}

#elif defined(KERNEL_AVX2)

constexpr int LANES = 8;
struct Vec { __m256 v; };
inline Vec splat(float x) { return {_mm256_set1_ps(x)}; }
inline Vec load(const float* p) { return {_mm256_loadu_ps(p)}; }
inline void store(float* p, Vec a) { _mm256_storeu_ps(p, a.v); }
inline Vec widen(const int8_t* p) {
  return {_mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_loadl_epi64((const __m128i*)p)))};
}
inline float widen_half(const uint8_t* p) {
  uint16_t h;
  memcpy(&h, p, sizeof h);
  return _mm_cvtss_f32(_mm_cvtph_ps(_mm_cvtsi32_si128(h)));
}
inline Vec widen_halves(const uint8_t* p) {
  return {_mm256_cvtph_ps(_mm_loadu_si128((const __m128i*)p))};
}
inline __m256i first_lanes(int64_t n) {
  return _mm256_cmpgt_epi32(_mm256_set1_epi32(int(n)), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}
inline Vec load_some(const float* p, int64_t n) { return {_mm256_maskload_ps(p, first_lanes(n))}; }
inline void store_some(float* p, Vec a, int64_t n) { _mm256_maskstore_ps(p, first_lanes(n), a.v); }
inline Vec operator+(Vec a, Vec b) { return {_mm256_add_ps(a.v, b.v)}; }
inline Vec operator-(Vec a, Vec b) { return {_mm256_sub_ps(a.v, b.v)}; }
inline Vec operator*(Vec a, Vec b) { return {_mm256_mul_ps(a.v, b.v)}; }
inline Vec operator/(Vec a, Vec b) { return {_mm256_div_ps(a.v, b.v)}; }
inline Vec fma(Vec a, Vec b, Vec c) { return {_mm256_fmadd_ps(a.v, b.v, c.v)}; }
inline Vec max(Vec a, Vec b) { return {_mm256_max_ps(a.v, b.v)}; }
inline Vec min(Vec a, Vec b) { return {_mm256_min_ps(a.v, b.v)}; }
inline Vec sqrt(Vec a) { return {_mm256_sqrt_ps(a.v)}; }
inline Vec round(Vec a) {
  return {_mm256_round_ps(a.v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC)};
}
constexpr float ZERO_POWER = -127;  // whose exponent has no bits
inline Vec scale_by_power_of_2(Vec x, Vec n) {
  const __m256i exponent = _mm256_add_epi32(_mm256_cvtps_epi32(n.v), _mm256_set1_epi32(127));
  return {_mm256_mul_ps(x.v, _mm256_castsi256_ps(_mm256_slli_epi32(exponent, 23)))};
}
inline float sum(Vec a) {
  __m128 s = _mm_add_ps(_mm256_castps256_ps128(a.v), _mm256_extractf128_ps(a.v, 1));
  s = _mm_add_ps(s, _mm_movehl_ps(s, s));
  return _mm_cvtss_f32(_mm_add_ss(s, _mm_movehdup_ps(s)));
}
inline float largest(Vec a) {
  __m128 s = _mm_max_ps(_mm256_castps256_ps128(a.v), _mm256_extractf128_ps(a.v, 1));
  s = _mm_max_ps(s, _mm_movehl_ps(s, s));
  return _mm_cvtss_f32(_mm_max_ss(s, _mm_movehdup_ps(s)));
}
inline void transpose(Vec r[LANES]) {
  __m256 t[LANES], u[LANES];
  UNROLL for (int i = 0; i < 8; i += 2) {
    t[i] = _mm256_unpacklo_ps(r[i].v, r[i + 1].v);
    t[i + 1] = _mm256_unpackhi_ps(r[i].v, r[i + 1].v);
  }
  UNROLL for (int i = 0; i < 8; i += 4) {
    for (int j = 0; j < 2; ++j) {
      u[i + 2 * j] = _mm256_shuffle_ps(t[i + j], t[i + j + 2], 0x44);
      u[i + 2 * j + 1] = _mm256_shuffle_ps(t[i + j], t[i + j + 2], 0xee);
    }
  }
  UNROLL for (int i = 0; i < 4; ++i) {
    r[i].v = _mm256_permute2f128_ps(u[i], u[i + 4], 0x20);
    r[i + 4].v = _mm256_permute2f128_ps(u[i], u[i + 4], 0x31);
  }
}

#elif defined(KERNEL_NEON)

constexpr int LANES = 4;
struct Vec { float32x4_t v; };
inline Vec splat(float x) { return {vdupq_n_f32(x)}; }
inline Vec load(const float* p) { return {vld1q_f32(p)}; }
inline void store(float* p, Vec a) { vst1q_f32(p, a.v); }
inline Vec widen(const int8_t* p) {
  int32_t bytes;
  memcpy(&bytes, p, sizeof bytes);
  const int16x8_t wide = vmovl_s8(vreinterpret_s8_s32(vdup_n_s32(bytes)));
  return {vcvtq_f32_s32(vmovl_s16(vget_low_s16(wide)))};
}
inline float widen_half(const uint8_t* p) {
  uint16_t h;
  memcpy(&h, p, sizeof h);
  return vgetq_lane_f32(vcvt_f32_f16(vreinterpret_f16_u16(vdup_n_u16(h))), 0);
}
inline Vec widen_halves(const uint8_t* p) {
  uint16_t halves[LANES];
  memcpy(halves, p, sizeof halves);
  return {vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(halves)))};
}
inline Vec load_some(const float* p, int64_t n) {
  float x[LANES] = {};
  memcpy(x, p, size_t(n) * sizeof(float));
  return load(x);
}
inline void store_some(float* p, Vec a, int64_t n) {
  float x[LANES];
  store(x, a);
  memcpy(p, x, size_t(n) * sizeof(float));
}
inline Vec operator+(Vec a, Vec b) { return {vaddq_f32(a.v, b.v)}; }
inline Vec operator-(Vec a, Vec b) { return {vsubq_f32(a.v, b.v)}; }
inline Vec operator*(Vec a, Vec b) { return {vmulq_f32(a.v, b.v)}; }
inline Vec operator/(Vec a, Vec b) { return {vdivq_f32(a.v, b.v)}; }
inline Vec fma(Vec a, Vec b, Vec c) { return {vfmaq_f32(c.v, a.v, b.v)}; }
inline Vec max(Vec a, Vec b) { return {vmaxq_f32(a.v, b.v)}; }
inline Vec min(Vec a, Vec b) { return {vminq_f32(a.v, b.v)}; }
inline Vec sqrt(Vec a) { return {vsqrtq_f32(a.v)}; }
inline Vec round(Vec a) { return {vrndnq_f32(a.v)}; }
constexpr float ZERO_POWER = -127;  // whose exponent has no bits
inline Vec scale_by_power_of_2(Vec x, Vec n) {
  const int32x4_t exponent = vaddq_s32(vcvtnq_s32_f32(n.v), vdupq_n_s32(127));
  return {vmulq_f32(x.v, vreinterpretq_f32_s32(vshlq_n_s32(exponent, 23)))};
}
inline float sum(Vec a) { return vaddvq_f32(a.v); }
inline float largest(Vec a) { return vmaxvq_f32(a.v); }
inline void transpose(Vec r[LANES]) {
  const float32x4x2_t ab = vtrnq_f32(r[0].v, r[1].v), cd = vtrnq_f32(r[2].v, r[3].v);
  r[0].v = vcombine_f32(vget_low_f32(ab.val[0]), vget_low_f32(cd.val[0]));
  r[1].v = vcombine_f32(vget_low_f32(ab.val[1]), vget_low_f32(cd.val[1]));
  r[2].v = vcombine_f32(vget_high_f32(ab.val[0]), vget_high_f32(cd.val[0]));
  r[3].v = vcombine_f32(vget_high_f32(ab.val[1]), vget_high_f32(cd.val[1]));
}

#else  // portable: arrays that a compiler turns into whatever the baseline has

constexpr int LANES = 4;
struct Vec { float v[LANES]; };
#define EACH_LANE for (int i = 0; i < LANES; ++i)
inline Vec splat(float x) { Vec r; EACH_LANE r.v[i] = x; return r; }
inline Vec load(const float* p) { Vec r; EACH_LANE r.v[i] = p[i]; return r; }
inline void store(float* p, Vec a) { EACH_LANE p[i] = a.v[i]; }
inline Vec widen(const int8_t* p) { Vec r; EACH_LANE r.v[i] = p[i]; return r; }
inline float widen_half(const uint8_t* p) {
  // Shift exponent and mantissa into place; multiplying by 2^112 corrects the
  // exponent's bias and makes subnormals right; infinity and NaN are patched.
  uint16_t h;
  memcpy(&h, p, sizeof h);
  uint32_t bits = uint32_t(h & 0x7fff) << 13;
  float x;
  memcpy(&x, &bits, sizeof x);
  x *= 5.192296858534828e33f;
  memcpy(&bits, &x, sizeof x);
  if ((h & 0x7c00) == 0x7c00) bits = 0x7f800000u | uint32_t(h & 0x3ff) << 13;
  bits |= uint32_t(h & 0x8000) << 16;
  memcpy(&x, &bits, sizeof x);
  return x;
}
inline Vec widen_halves(const uint8_t* p) {
  Vec r; EACH_LANE r.v[i] = widen_half(p + 2 * i); return r;
}
inline Vec load_some(const float* p, int64_t n) {
  Vec r; EACH_LANE r.v[i] = i < n ? p[i] : 0; return r;
}
inline void store_some(float* p, Vec a, int64_t n) { EACH_LANE if (i < n) p[i] = a.v[i]; }
inline Vec operator+(Vec a, Vec b) { EACH_LANE a.v[i] += b.v[i]; return a; }
inline Vec operator-(Vec a, Vec b) { EACH_LANE a.v[i] -= b.v[i]; return a; }
inline Vec operator*(Vec a, Vec b) { EACH_LANE a.v[i] *= b.v[i]; return a; }
inline Vec operator/(Vec a, Vec b) { EACH_LANE a.v[i] /= b.v[i]; return a; }
inline Vec fma(Vec a, Vec b, Vec c) { return a * b + c; }
inline Vec max(Vec a, Vec b) { EACH_LANE a.v[i] = a.v[i] > b.v[i] ? a.v[i] : b.v[i]; return a; }
inline Vec min(Vec a, Vec b) { EACH_LANE a.v[i] = a.v[i] < b.v[i] ? a.v[i] : b.v[i]; return a; }
inline Vec sqrt(Vec a) { EACH_LANE a.v[i] = sqrtf(a.v[i]); return a; }
// Adding 1.5 * 2^23 leaves no bits for the fraction: rounds to nearest, for |x| < 2^22.
inline Vec round(Vec a) { EACH_LANE a.v[i] = (a.v[i] + 12582912.0f) - 12582912.0f; return a; }
constexpr float ZERO_POWER = -127;  // whose exponent has no bits
inline Vec scale_by_power_of_2(Vec x, Vec n) {
  EACH_LANE {
    const int32_t bits = (int32_t(n.v[i]) + 127) * (1 << 23);
    float power;
    memcpy(&power, &bits, sizeof power);
    x.v[i] *= power;
  }
  return x;
}
inline float sum(Vec a) { return (a.v[0] + a.v[2]) + (a.v[1] + a.v[3]); }
inline float largest(Vec a) {
  const float x = a.v[0] > a.v[2] ? a.v[0] : a.v[2], y = a.v[1] > a.v[3] ? a.v[1] : a.v[3];
  return x > y ? x : y;
}
inline void transpose(Vec r[LANES]) {
  for (int i = 0; i < LANES; ++i)
    for (int j = 0; j < i; ++j) {
      const float x = r[i].v[j];
      r[i].v[j] = r[j].v[i];
      r[j].v[i] = x;
    }
}
#undef EACH_LANE

#endif

#if !defined(KERNEL_AVX512BF16)  // never called, but the templates that choose must compile
inline Vec bf16_pairs(Vec first, Vec) { return first; }
inline Vec interleaved_bf16(Vec low, Vec) { return low; }
inline void pair_up_bf16(Vec, Vec, Vec&, Vec&) {}
inline Vec fma_bf16(Vec, Vec, Vec c) { return c; }
inline Vec load(const uint16_t*) { return splat(0); }
inline Vec load_some(const uint16_t*, int64_t) { return splat(0); }
inline void store(uint16_t*, Vec) {}
inline void store_some(uint16_t*, Vec, int64_t) {}
#endif

inline Vec zero() { return splat(0); }

#if defined(__GNUC__) || defined(__clang__)
inline void prefetch(const float* p) { __builtin_prefetch(p); }
inline void prefetch_to_write(float* p) { __builtin_prefetch(p, 1); }
#else
inline void prefetch(const float*) {}
inline void prefetch_to_write(float*) {}
#endif

// e^x = 2^n e^r, with n whole and |r| <= ln(2) / 2; e^r by its Taylor polynomial.
inline Vec exp(Vec x) {
  const Vec lowest = splat(-87.3365f), highest = splat(88.3762f);
  const Vec clamped = min(max(x, lowest), highest);
  const Vec n = round(clamped * splat(1.44269504f));
  // ln(2) in two parts, so that n * ln(2) is subtracted without loss
  Vec r = fma(n, splat(-0.693359375f), clamped);
  r = fma(n, splat(2.12194440e-4f), r);
  Vec p = splat(1.9875691500e-4f);
  p = fma(p, r, splat(1.3981999507e-3f));
  p = fma(p, r, splat(8.3334519073e-3f));
  p = fma(p, r, splat(4.1665795894e-2f));
  p = fma(p, r, splat(1.6666665459e-1f));
  p = fma(p, r, splat(5.0000001201e-1f));
  p = fma(p, r * r, r + splat(1));
  return scale_by_power_of_2(p, n);
}

// The same with base 2, and what is as good as zero becomes zero.
inline Vec power_of_2(Vec x) {
  x = max(x, splat(ZERO_POWER));
  const Vec n = round(x), r = x - n;
  // the polynomial with p(0) = 1 whose largest relative error on [-1/2, 1/2] is least
  Vec p = splat(1.326472712e-3f);
  p = fma(p, r, splat(9.671512645e-3f));
  p = fma(p, r, splat(5.550733743e-2f));
  p = fma(p, r, splat(2.402224209e-1f));
  p = fma(p, r, splat(6.931469776e-1f));
  p = fma(p, r, splat(1));
  return scale_by_power_of_2(p, n);
}

// each_vector(n, f) calls f(i, at) for i = 0, LANES, 2 * LANES ... below n;
// at.load and at.store are whole, and at the end of the array partial; at.only(v) has
// zeros in the other lanes.
struct Whole {
  template <class T> static Vec load(const T* p) { return KERNEL_ISA::load(p); }
  template <class T> static void store(T* p, Vec a) { KERNEL_ISA::store(p, a); }
  static Vec only(Vec a) { return a; }
};
struct Partial {
  int64_t n;
  template <class T> Vec load(const T* p) const { return load_some(p, n); }
  template <class T> void store(T* p, Vec a) const { store_some(p, a, n); }
  Vec only(Vec a) const {
    float x[LANES];
    KERNEL_ISA::store(x, a);
    return load_some(x, n);
  }
};
template <class F>
inline void each_vector(int64_t n, const F& f) {
  int64_t i = 0;
  for (; i + LANES <= n; i += LANES) f(i, Whole{});
  if (i < n) f(i, Partial{n - i});
}

}  // namespace ondevice::KERNEL_ISA
