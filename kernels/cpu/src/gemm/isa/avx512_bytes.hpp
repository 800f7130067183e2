// Byte handling shared by the AVX-512 variants.
#pragma once

#include <immintrin.h>

#include <cstdint>

namespace deepgemm::cpu {
namespace {

struct Avx512Bytes {
  using Bytes = __m512i;

  static __m128i load16(const uint8_t* from) {
    return _mm_loadu_si128(reinterpret_cast<const __m128i*>(from));
  }
  static Bytes gather16(const uint8_t* first, int64_t stride) {
    const __m256i low =
        _mm256_inserti128_si256(_mm256_castsi128_si256(load16(first)), load16(first + stride), 1);
    const __m256i high = _mm256_inserti128_si256(_mm256_castsi128_si256(load16(first + 2 * stride)),
                                                 load16(first + 3 * stride), 1);
    return _mm512_inserti64x4(_mm512_castsi256_si512(low), high, 1);
  }
  static Bytes interleave16_low(Bytes a, Bytes b) { return _mm512_unpacklo_epi16(a, b); }
  static Bytes interleave16_high(Bytes a, Bytes b) { return _mm512_unpackhi_epi16(a, b); }
  static Bytes interleave32_low(Bytes a, Bytes b) { return _mm512_unpacklo_epi32(a, b); }
  static Bytes interleave32_high(Bytes a, Bytes b) { return _mm512_unpackhi_epi32(a, b); }
};

}  // namespace
}  // namespace deepgemm::cpu
