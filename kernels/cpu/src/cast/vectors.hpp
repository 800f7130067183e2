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

// As store, past the caches: `to` is aligned to the vector. Whoever reads the bytes on another
// thread needs a stream_fence() in between. Only where the processor can.
template <bool kPast, class Vector>
inline void store_past(void* to, Vector value) {
#if defined(__SSE2__)
  if constexpr (kPast) {
    if constexpr (sizeof(Vector) == 16) return _mm_stream_si128((__m128i*)to, (__m128i)value);
#if DEEPGEMM_LANES >= 8
    if constexpr (sizeof(Vector) == 32) return _mm256_stream_si256((__m256i*)to, (__m256i)value);
#endif
#if DEEPGEMM_LANES == 16
    if constexpr (sizeof(Vector) == 64) return _mm512_stream_si512((__m512i*)to, (__m512i)value);
#endif
  }
#endif
  store(to, value);
}

inline Float splat(float value) { return value - Float{}; }  // adding zero would change -0
inline Bits splat_bits(uint32_t value) { return Bits{} + value; }

// Lane-wise maximum and minimum of patterns without a sign bit, where signed order is the right
// order and the one that every instruction set has.
inline Bits larger(Bits a, Bits b) { return (Bits)((Int)a > (Int)b ? (Int)a : (Int)b); }
inline Bits smaller(Bits a, Bits b) { return (Bits)((Int)a < (Int)b ? (Int)a : (Int)b); }
inline Words larger(Words a, Words b) {
  return (Words)((SignedWords)a > (SignedWords)b ? (SignedWords)a : (SignedWords)b);
}

typedef int32_t Quad __attribute__((vector_size(16)));

inline uint32_t largest_of(Quad value) {
  const Quad other = __builtin_shuffle(value, Quad{2, 3, 0, 1});
  value = value > other ? value : other;
  const Quad next = __builtin_shuffle(value, Quad{1, 0, 3, 2});
  value = value > next ? value : next;
  return static_cast<uint32_t>(value[0]);
}

inline uint32_t largest_lane(Bits value) {
#if DEEPGEMM_LANES == 16
  const Quad a = (Quad)_mm512_maskz_extracti32x4_epi32(0xf, (__m512i)value, 0);
  const Quad b = (Quad)_mm512_maskz_extracti32x4_epi32(0xf, (__m512i)value, 1);
  const Quad c = (Quad)_mm512_maskz_extracti32x4_epi32(0xf, (__m512i)value, 2);
  const Quad d = (Quad)_mm512_maskz_extracti32x4_epi32(0xf, (__m512i)value, 3);
  const Quad low = a > b ? a : b;
  const Quad high = c > d ? c : d;
  return largest_of(low > high ? low : high);
#elif DEEPGEMM_LANES == 8
  const Quad low = (Quad)_mm256_castsi256_si128((__m256i)value);
  const Quad high = (Quad)_mm256_extracti128_si256((__m256i)value, 1);
  return largest_of(low > high ? low : high);
#else
  return largest_of((Quad)value);
#endif
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

}  // namespace
}  // namespace deepgemm::cpu
