// e4m3 codes from and to vectors of f32.
#pragma once

#include "cast/vectors.hpp"

namespace deepgemm::cpu {
namespace {

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

// The e4m3 codes of |value| in the low 7 bits of each lane, with anything above them; with
// `kSpecial` for any value, without for finite ones that exceed 448 by no more than a rounding
// error.
template <bool kSpecial>
inline Bits e4m3_magnitudes(Float value) {
  Bits abs_bits = (Bits)value & kAbsMask;
  Bits pattern;
#if DEEPGEMM_LANES == 16
  if constexpr (!kSpecial) {
    // Operation 3: the larger magnitude, with the sign of the first operand.
    const Float power = (Float)_mm512_maskz_range_ps(0xffff, (__m512)((Bits)value & 0xff800000u),
                                                     (__m512)splat(0x1p-6f), 3);
    pattern = e4m3_pattern(value, power);
  } else
#endif
  {
    const Bits bound = kSpecial ? smaller(abs_bits, splat_bits(0x43e00000u)) : abs_bits;
    const Bits power = larger(bound, splat_bits(121u << 23)) & kExponentMask;
    pattern = e4m3_pattern((Float)bound, (Float)power);
  }
  const Bits code = pattern + (pattern >> 20);
  if constexpr (!kSpecial) return code;
  return code | ((Bits)((Int)abs_bits > (int32_t)kInfinityBits) & 0x7fu);
}

#if defined(__AVX512VBMI__)

// Byte i of a gather is byte step * i + first of two vectors laid end to end; with `paired`, even
// bytes come from the first vector and odd ones from the second. Both begin again at their end.
struct GatherOrder {
  alignas(64) uint8_t index[64];
  constexpr GatherOrder(int first, int step, bool paired) : index() {
    for (int i = 0; i < 64; ++i) {
      const int from = paired ? (i % 2) * 64 + step * (i / 2) % 64 : step * i;
      index[i] = static_cast<uint8_t>((from + first) % 128);
    }
  }
};

constexpr GatherOrder kLowOfLanes(0, 4, false);
constexpr GatherOrder kHighOfLanes(3, 4, false);
constexpr GatherOrder kLowOfPairs(0, 4, true);
constexpr GatherOrder kHighOfWords(1, 2, false);

inline __m512i gather_bytes(const GatherOrder& order, Bits a, Bits b) {
  return _mm512_permutex2var_epi8((__m512i)a, _mm512_load_si512(order.index), (__m512i)b);
}

// 32 bytes from each pair of vectors. The gathers hold them twice: a blend keeps the unit that
// shuffles free.
inline __m512i gather_bytes(const GatherOrder& order, const Bits (&from)[4]) {
  const __m512i front = gather_bytes(order, from[0], from[1]);
  const __m512i back = gather_bytes(order, from[2], from[3]);
  return _mm512_mask_blend_epi64(0xf0, front, back);
}

template <bool kPast>
inline void store_signed(uint8_t* to, __m512i magnitudes, __m512i signs) {
  const __m512i low_bits = _mm512_set1_epi8(0x7f);
  store_past<kPast>(to, _mm512_ternarylogic_epi64(low_bits, magnitudes, signs, 0xca));
}

template <bool kPast>
inline void store_codes(uint8_t* to, const Bits (&magnitudes)[4], const Float (&values)[4]) {
  const Bits bits[4] = {(Bits)values[0], (Bits)values[1], (Bits)values[2], (Bits)values[3]};
  store_signed<kPast>(to, gather_bytes(kLowOfLanes, magnitudes), gather_bytes(kHighOfLanes, bits));
}

template <bool kPast>
inline void store_paired_codes(uint8_t* to, const Bits (&magnitudes)[4], const Bits (&words)[2]) {
  store_signed<kPast>(to, gather_bytes(kLowOfPairs, magnitudes),
                      gather_bytes(kHighOfWords, words[0], words[1]));
}

#else

inline Bits with_sign(Bits magnitude, Bits bits) {
  const Bits sign = bits >> 24;
  return ((magnitude ^ sign) & 0x7fu) ^ sign;
}

// Stores 4 * kLanes codes: the magnitudes of four vectors with the signs of their values; kPast as
// for store_past.
template <bool kPast>
inline void store_codes(uint8_t* to, const Bits (&magnitudes)[4], const Float (&values)[4]) {
  const Bits a = with_sign(magnitudes[0], (Bits)values[0]);
  const Bits b = with_sign(magnitudes[1], (Bits)values[1]);
  const Bits c = with_sign(magnitudes[2], (Bits)values[2]);
  const Bits d = with_sign(magnitudes[3], (Bits)values[3]);
#if DEEPGEMM_LANES == 16
  const __m512i halves_low = _mm512_packus_epi32((__m512i)a, (__m512i)b);
  const __m512i halves_high = _mm512_packus_epi32((__m512i)c, (__m512i)d);
  const __m512i bytes = _mm512_packus_epi16(halves_low, halves_high);
  const __m512i order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
  store_past<kPast>(to, _mm512_maskz_permutexvar_epi32(0xffff, order, bytes));
#elif DEEPGEMM_LANES == 8
  const __m256i halves_low = _mm256_packus_epi32((__m256i)a, (__m256i)b);
  const __m256i halves_high = _mm256_packus_epi32((__m256i)c, (__m256i)d);
  const __m256i bytes = _mm256_packus_epi16(halves_low, halves_high);
  const __m256i order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
  store_past<kPast>(to, _mm256_permutevar8x32_epi32(bytes, order));
#elif defined(__SSE2__)
  const __m128i halves_low = _mm_packs_epi32((__m128i)a, (__m128i)b);
  const __m128i halves_high = _mm_packs_epi32((__m128i)c, (__m128i)d);
  store_past<kPast>(to, _mm_packus_epi16(halves_low, halves_high));
#else
  store(to, __builtin_convertvector(a, Byte));
  store(to + kLanes, __builtin_convertvector(b, Byte));
  store(to + 2 * kLanes, __builtin_convertvector(c, Byte));
  store(to + 3 * kLanes, __builtin_convertvector(d, Byte));
#endif
}

// The same for two vectors of 16-bit elements: magnitudes[0] and [2] belong to the even elements of
// words[0] and [1], [1] and [3] to the odd ones.
template <bool kPast>
inline void store_paired_codes(uint8_t* to, const Bits (&magnitudes)[4], const Bits (&words)[2]) {
  const Bits low =
      with_sign(magnitudes[0], words[0] << 16) | (with_sign(magnitudes[1], words[0]) << 16);
  const Bits high =
      with_sign(magnitudes[2], words[1] << 16) | (with_sign(magnitudes[3], words[1]) << 16);
#if DEEPGEMM_LANES == 16
  const __m512i bytes = _mm512_packus_epi16((__m512i)low, (__m512i)high);
  const __m512i order = _mm512_setr_epi64(0, 2, 4, 6, 1, 3, 5, 7);
  store_past<kPast>(to, _mm512_maskz_permutexvar_epi64(0xff, order, bytes));
#elif DEEPGEMM_LANES == 8
  const __m256i bytes = _mm256_packus_epi16((__m256i)low, (__m256i)high);
  store_past<kPast>(to, _mm256_permute4x64_epi64(bytes, 0xd8));
#elif defined(__SSE2__)
  store_past<kPast>(to, _mm_packus_epi16((__m128i)low, (__m128i)high));
#else
  store(to, __builtin_convertvector((Words)low, WordBytes));
  store(to + 2 * kLanes, __builtin_convertvector((Words)high, WordBytes));
#endif
}

#endif

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
