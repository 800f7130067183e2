// Vectors of kLanes 32-bit lanes on GCC/Clang vector extensions, with loads, stores and roundings
// for the three float types. The including translation unit defines DEEPGEMM_LANES; everything has
// internal linkage because each is compiled for another instruction set.
#pragma once

#include <cstdint>
#include <cstring>

#if defined(__AVX2__)
#include <immintrin.h>
#elif defined(__SSE2__)
#include <emmintrin.h>
#endif

#include "cast/scalar.hpp"
#include "deepgemm/cpu/cast.hpp"

namespace deepgemm::cpu {
namespace {

constexpr int64_t kLanes = DEEPGEMM_LANES;

typedef float Float __attribute__((vector_size(4 * DEEPGEMM_LANES)));
typedef int32_t Int __attribute__((vector_size(4 * DEEPGEMM_LANES)));
typedef uint32_t Bits __attribute__((vector_size(4 * DEEPGEMM_LANES)));
typedef uint16_t Half __attribute__((vector_size(2 * DEEPGEMM_LANES)));
typedef uint8_t WordBytes __attribute__((vector_size(2 * DEEPGEMM_LANES)));
// Twice as many 16-bit lanes.
typedef uint16_t Words __attribute__((vector_size(4 * DEEPGEMM_LANES)));
typedef int16_t SignedWords __attribute__((vector_size(4 * DEEPGEMM_LANES)));
typedef uint8_t Byte __attribute__((vector_size(DEEPGEMM_LANES)));

template <class Vector>
inline Vector load(const void* from) {
  Vector out;
  std::memcpy(&out, from, sizeof out);
  return out;
}

template <class Vector>
inline void store(void* to, Vector value) {
  std::memcpy(to, &value, sizeof value);
}

inline Float splat(float value) { return Float{} + value; }
inline Bits splat_bits(uint32_t value) { return Bits{} + value; }

// Lane-wise maximum and minimum of patterns without a sign bit, where signed order is the right
// order and the one that every instruction set has.
inline Bits larger(Bits a, Bits b) { return (Bits)((Int)a > (Int)b ? (Int)a : (Int)b); }
inline Bits smaller(Bits a, Bits b) { return (Bits)((Int)a < (Int)b ? (Int)a : (Int)b); }
inline Words larger(Words a, Words b) {
  return (Words)((SignedWords)a > (SignedWords)b ? (SignedWords)a : (SignedWords)b);
}

typedef int32_t Quad __attribute__((vector_size(16)));
typedef int16_t Octet __attribute__((vector_size(16)));

inline uint32_t largest_of(Quad value) {
  const Quad other = __builtin_shuffle(value, Quad{2, 3, 0, 1});
  value = value > other ? value : other;
  const Quad next = __builtin_shuffle(value, Quad{1, 0, 3, 2});
  value = value > next ? value : next;
  return static_cast<uint32_t>(value[0]);
}

inline uint32_t largest_of(Octet value) {
#if defined(__SSE4_1__)
  const __m128i least = _mm_minpos_epu16((__m128i)~value);
  return ~static_cast<uint32_t>(_mm_cvtsi128_si32(least)) & 0xffffu;
#else
  const Octet four = __builtin_shuffle(value, Octet{4, 5, 6, 7, 0, 1, 2, 3});
  value = value > four ? value : four;
  const Octet two = __builtin_shuffle(value, Octet{2, 3, 0, 1, 6, 7, 4, 5});
  value = value > two ? value : two;
  const Octet one = __builtin_shuffle(value, Octet{1, 0, 3, 2, 5, 4, 7, 6});
  value = value > one ? value : one;
  return static_cast<uint32_t>(value[0]);
#endif
}

// The largest lane of a vector of Quads or Octets, 16 bytes after the other.
template <class Part, class Vector>
inline uint32_t largest_lane(Vector value) {
#if DEEPGEMM_LANES == 16
  const Part a = (Part)_mm512_maskz_extracti32x4_epi32(0xf, (__m512i)value, 0);
  const Part b = (Part)_mm512_maskz_extracti32x4_epi32(0xf, (__m512i)value, 1);
  const Part c = (Part)_mm512_maskz_extracti32x4_epi32(0xf, (__m512i)value, 2);
  const Part d = (Part)_mm512_maskz_extracti32x4_epi32(0xf, (__m512i)value, 3);
  const Part low = a > b ? a : b;
  const Part high = c > d ? c : d;
  return largest_of(low > high ? low : high);
#elif DEEPGEMM_LANES == 8
  const Part low = (Part)_mm256_castsi256_si128((__m256i)value);
  const Part high = (Part)_mm256_extracti128_si256((__m256i)value, 1);
  return largest_of(low > high ? low : high);
#else
  return largest_of((Part)value);
#endif
}

inline uint32_t largest_lane(Bits value) { return largest_lane<Quad>(value); }
inline uint32_t largest_lane(Words value) { return largest_lane<Octet>(value); }

inline Float f16_to_float(Half code) {
#if DEEPGEMM_LANES == 16
  return (Float)_mm512_maskz_cvtph_ps(0xffff, (__m256i)code);
#elif DEEPGEMM_LANES == 8
  return (Float)_mm256_cvtph_ps((__m128i)code);
#else
  const Bits wide = __builtin_convertvector(code, Bits);
  const Bits sign = (wide & 0x8000u) << 16;
  const Bits magnitude = wide & 0x7fffu;
  const Bits normal = (magnitude << 13) + (112u << 23);
  const Bits small = (Bits)(__builtin_convertvector((Int)magnitude, Float) * 0x1p-24f);
  const Bits huge =
      (magnitude << 13) | kInfinityBits | ((Bits)((Int)magnitude > 0x7c00) & 0x00400000u);
  const Bits finite = (Int)magnitude < 0x400 ? small : normal;
  return (Float)(sign | ((Int)magnitude >= 0x7c00 ? huge : finite));
#endif
}

// See rounded_pattern in scalar.hpp.
inline Bits round_pattern(Bits abs_bits, uint32_t least, uint32_t addend) {
  const Bits power = larger(abs_bits, splat_bits(least << 23)) & kExponentMask;
  return (Bits)((Float)abs_bits + (Float)(power + addend));
}

inline Half float_to_f16(Float value) {
#if DEEPGEMM_LANES == 16
  return (Half)_mm512_maskz_cvtps_ph(0xffff, (__m512)value, _MM_FROUND_TO_NEAREST_INT);
#elif DEEPGEMM_LANES == 8
  return (Half)_mm256_cvtps_ph((__m256)value, _MM_FROUND_TO_NEAREST_INT);
#else
  const Bits bits = (Bits)value;
  const Bits sign = (bits >> 16) & 0x8000u;
  const Bits abs_bits = bits & kAbsMask;
  const Bits nan = ((abs_bits >> 13) & 0x1ffu) | 0x7e00u;
  const Bits huge = (Int)abs_bits > (int32_t)kInfinityBits ? nan : splat_bits(0x7c00u);
  const Bits pattern = round_pattern(abs_bits, 113, 13u << 23);
  const Bits finite = (pattern + (pattern >> 13) - (126u << 10)) & 0x7fffu;
  return __builtin_convertvector(sign | ((Int)abs_bits >= 0x477ff000 ? huge : finite), Half);
#endif
}

inline Half float_to_bf16(Float value) {
  const Bits bits = (Bits)value;
  const Bits rounded = (bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16;
  const Bits nan = (bits >> 16) | 0x40u;
  const auto is_nan = (Int)(bits & kAbsMask) > (int32_t)kInfinityBits;
  return __builtin_convertvector(is_nan ? nan : rounded, Half);
}

// One element type of memory: its vector and scalar loads and stores, and its bit patterns, whose
// order without the sign is that of the magnitudes.
struct F32Memory {
  using Element = float;
  using Pattern = Bits;
  static constexpr uint32_t kPatternMask = kAbsMask;
  static constexpr uint32_t kInfinity = kInfinityBits;
  static uint32_t f32_pattern(uint32_t pattern) { return pattern; }
  static Float load_vector(const float* from) { return load<Float>(from); }
  static void store_vector(float* to, Float value) { store(to, value); }
  static float decode(float value) { return value; }
  static float encode(float value) { return value; }
};

struct F16Memory {
  using Element = uint16_t;
  using Pattern = Words;
  static constexpr uint32_t kPatternMask = 0x7fffu;
  static constexpr uint32_t kInfinity = 0x7c00u;
  static uint32_t f32_pattern(uint32_t pattern) {
    return bits_of(f32_from_f16(static_cast<uint16_t>(pattern)));
  }
  static Float load_vector(const uint16_t* from) { return f16_to_float(load<Half>(from)); }
  static void store_vector(uint16_t* to, Float value) { store(to, float_to_f16(value)); }
  static float decode(uint16_t value) { return f32_from_f16(value); }
  static uint16_t encode(float value) { return f16_from_f32(value); }
};

struct Bf16Memory {
  using Element = uint16_t;
  using Pattern = Words;
  static constexpr uint32_t kPatternMask = 0x7fffu;
  static constexpr uint32_t kInfinity = 0x7f80u;
  static uint32_t f32_pattern(uint32_t pattern) { return pattern << 16; }
  static Float load_vector(const uint16_t* from) {
    return (Float)(__builtin_convertvector(load<Half>(from), Bits) << 16);
  }
  static void store_vector(uint16_t* to, Float value) { store(to, float_to_bf16(value)); }
  static float decode(uint16_t value) { return f32_from_bf16(value); }
  static uint16_t encode(float value) { return bf16_from_f32(value); }
};

// value + 2^20 * power, where power is a power of two, so that only the sum rounds. The factor is
// 2^20 and 152 units of the sum's last place: they make the constant of e4m3_from_f32 part of the
// sum, 152 = -8 * 141 modulo 256, and are even, so that ties still go to the even mantissa.
inline Bits e4m3_pattern(Float value, Float power) {
  const float factor = 0x1p20f * (1.0f + 152.0f * 0x1p-23f);
#if DEEPGEMM_LANES == 16
  return (Bits)_mm512_fmadd_ps((__m512)power, (__m512)splat(factor), (__m512)value);
#elif DEEPGEMM_LANES == 8
  return (Bits)_mm256_fmadd_ps((__m256)power, (__m256)splat(factor), (__m256)value);
#else
  return (Bits)(value + power * factor);
#endif
}

// The e4m3 codes of `value`, one per lane; with `kSpecial` for any value, without for finite ones
// that exceed 448 by no more than a rounding error.
template <bool kSpecial>
inline Bits e4m3_lanes(Float value) {
  const Bits bits = (Bits)value;
  const Bits sign = bits >> 24;
  Bits abs_bits = bits & kAbsMask;
  Bits pattern;
#if DEEPGEMM_LANES == 16
  if constexpr (!kSpecial) {
    // Operation 3: the larger magnitude, with the sign of the first operand.
    const Float power = (Float)_mm512_maskz_range_ps(0xffff, (__m512)(bits & 0xff800000u),
                                                     (__m512)splat(0x1p-6f), 3);
    pattern = e4m3_pattern(value, power);
  } else
#endif
  {
    if constexpr (kSpecial) abs_bits = smaller(abs_bits, splat_bits(0x43e00000u));
    const Bits power = larger(abs_bits, splat_bits(121u << 23)) & kExponentMask;
    pattern = e4m3_pattern((Float)abs_bits, (Float)power);
  }
  Bits code = pattern + (pattern >> 20);
  if constexpr (kSpecial) {
    code |= (Bits)((Int)(bits & kAbsMask) > (int32_t)kInfinityBits) & 0x7fu;
  }
  return ((code ^ sign) & 0x7fu) ^ sign;
}

// The low bytes of four vectors of codes (every lane below 256) to 4 * kLanes bytes.
inline void store_codes(uint8_t* to, Bits a, Bits b, Bits c, Bits d) {
#if DEEPGEMM_LANES == 16
  const __m512i halves_low = _mm512_packus_epi32((__m512i)a, (__m512i)b);
  const __m512i halves_high = _mm512_packus_epi32((__m512i)c, (__m512i)d);
  const __m512i bytes = _mm512_packus_epi16(halves_low, halves_high);
  const __m512i order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
  _mm512_storeu_si512(to, _mm512_maskz_permutexvar_epi32(0xffff, order, bytes));
#elif DEEPGEMM_LANES == 8
  const __m256i halves_low = _mm256_packus_epi32((__m256i)a, (__m256i)b);
  const __m256i halves_high = _mm256_packus_epi32((__m256i)c, (__m256i)d);
  const __m256i bytes = _mm256_packus_epi16(halves_low, halves_high);
  const __m256i order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
  _mm256_storeu_si256((__m256i*)to, _mm256_permutevar8x32_epi32(bytes, order));
#elif defined(__SSE2__)
  const __m128i halves_low = _mm_packs_epi32((__m128i)a, (__m128i)b);
  const __m128i halves_high = _mm_packs_epi32((__m128i)c, (__m128i)d);
  _mm_storeu_si128((__m128i*)to, _mm_packus_epi16(halves_low, halves_high));
#else
  store(to, __builtin_convertvector(a, Byte));
  store(to + kLanes, __builtin_convertvector(b, Byte));
  store(to + 2 * kLanes, __builtin_convertvector(c, Byte));
  store(to + 3 * kLanes, __builtin_convertvector(d, Byte));
#endif
}

// Four vectors of codes where b and d hold the elements between those of a and c.
inline void store_paired_codes(uint8_t* to, Bits a, Bits b, Bits c, Bits d) {
  const Bits low = a | (b << 16);
  const Bits high = c | (d << 16);
#if DEEPGEMM_LANES == 16
  const __m512i bytes = _mm512_packus_epi16((__m512i)low, (__m512i)high);
  const __m512i order = _mm512_setr_epi64(0, 2, 4, 6, 1, 3, 5, 7);
  _mm512_storeu_si512(to, _mm512_maskz_permutexvar_epi64(0xff, order, bytes));
#elif DEEPGEMM_LANES == 8
  const __m256i bytes = _mm256_packus_epi16((__m256i)low, (__m256i)high);
  _mm256_storeu_si256((__m256i*)to, _mm256_permute4x64_epi64(bytes, 0xd8));
#elif defined(__SSE2__)
  _mm_storeu_si128((__m128i*)to, _mm_packus_epi16((__m128i)low, (__m128i)high));
#else
  store(to, __builtin_convertvector((Words)low, WordBytes));
  store(to + 2 * kLanes, __builtin_convertvector((Words)high, WordBytes));
#endif
}

inline Bits bytes_to_lanes(const uint8_t* from) {
#if DEEPGEMM_LANES == 16
  return (Bits)_mm512_maskz_cvtepu8_epi32(0xffff, _mm_loadu_si128((const __m128i*)from));
#elif DEEPGEMM_LANES == 8
  return (Bits)_mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i*)from));
#else
  return Bits{from[0], from[1], from[2], from[3]};
#endif
}

inline Float f32_from_e4m3_lanes(const uint8_t* from) {
  const Bits code = bytes_to_lanes(from);
  const Bits magnitude = code & 0x7fu;
  const Bits normal = (magnitude << 20) + (120u << 23);
  const Bits small = (Bits)(__builtin_convertvector((Int)magnitude, Float) * 0x1p-9f);
  const Bits finite = (Int)magnitude < 8 ? small : normal;
  const Bits value = (Int)magnitude == 0x7f ? splat_bits(0x7fc00000u) : finite;
  return (Float)(value | ((code & 0x80u) << 24));
}

}  // namespace
}  // namespace deepgemm::cpu
