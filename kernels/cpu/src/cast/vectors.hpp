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

// Lane-wise maximum and minimum of patterns below 2^31, where signed order is the right order and
// the one that every instruction set has.
inline Bits larger(Bits a, Bits b) { return (Bits)((Int)a > (Int)b ? (Int)a : (Int)b); }
inline Bits smaller(Bits a, Bits b) { return (Bits)((Int)a < (Int)b ? (Int)a : (Int)b); }

// Halves the vector until one lane is left.
inline uint32_t largest_lane(Bits value) {
  for (int64_t distance = kLanes / 2; distance > 0; distance /= 2) {
    Bits index;
    for (int64_t i = 0; i < kLanes; ++i) index[i] = static_cast<uint32_t>(i ^ distance);
    value = larger(value, __builtin_shuffle(value, index));
  }
  return value[0];
}

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

// One element type of memory: its vector and scalar loads and stores.
struct F32Memory {
  using Element = float;
  static Float load_vector(const float* from) { return load<Float>(from); }
  static void store_vector(float* to, Float value) { store(to, value); }
  static float decode(float value) { return value; }
  static float encode(float value) { return value; }
};

struct F16Memory {
  using Element = uint16_t;
  static Float load_vector(const uint16_t* from) { return f16_to_float(load<Half>(from)); }
  static void store_vector(uint16_t* to, Float value) { store(to, float_to_f16(value)); }
  static float decode(uint16_t value) { return f32_from_f16(value); }
  static uint16_t encode(float value) { return f16_from_f32(value); }
};

struct Bf16Memory {
  using Element = uint16_t;
  static Float load_vector(const uint16_t* from) {
    return (Float)(__builtin_convertvector(load<Half>(from), Bits) << 16);
  }
  static void store_vector(uint16_t* to, Float value) { store(to, float_to_bf16(value)); }
  static float decode(uint16_t value) { return f32_from_bf16(value); }
  static uint16_t encode(float value) { return bf16_from_f32(value); }
};

// Patterns whose low bytes are the e4m3 codes of `value`; with `kSpecial` for any value, without
// for finite ones that do not exceed 448 before rounding by more than a rounding error.
template <bool kSpecial>
inline Bits e4m3_lanes(Float value) {
  const Bits bits = (Bits)value;
  Bits abs_bits = bits & kAbsMask;
  if constexpr (kSpecial) abs_bits = smaller(abs_bits, splat_bits(0x43e00000u));
  // 152 makes the constant of e4m3_from_f32 part of the sum: 152 = -8 * 141 modulo 256, and even,
  // so that ties still go to the even mantissa.
  const Bits pattern = round_pattern(abs_bits, 121, (20u << 23) + 152u);
  Bits code = pattern + (pattern >> 20);
  if constexpr (kSpecial) {
    code |= (Bits)((Int)(bits & kAbsMask) > (int32_t)kInfinityBits) & 0x7fu;
  }
  return (code & 0x7fu) | ((bits >> 24) & 0x80u);
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

inline Float f32_from_e4m3_lanes(const uint8_t* from) {
  const Bits code = __builtin_convertvector(load<Byte>(from), Bits);
  const Bits magnitude = code & 0x7fu;
  const Bits normal = (magnitude << 20) + (120u << 23);
  const Bits small = (Bits)(__builtin_convertvector((Int)magnitude, Float) * 0x1p-9f);
  const Bits finite = (Int)magnitude < 8 ? small : normal;
  const Bits value = (Int)magnitude == 0x7f ? splat_bits(0x7fc00000u) : finite;
  return (Float)(value | ((code & 0x80u) << 24));
}

}  // namespace
}  // namespace deepgemm::cpu
