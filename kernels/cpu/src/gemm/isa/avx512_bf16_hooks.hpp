// AVX-512 with bf16 dot products and byte permutes (Zen 4 and later, Sapphire Rapids and later).
#pragma once

#include "gemm/isa/avx512_bytes.hpp"
#include "gemm/isa/e4m3_bytes.hpp"

namespace deepgemm::cpu {
namespace {

struct Avx512Bf16Hooks : Avx512Bytes {
  static constexpr int kLanes = 16;
  static constexpr int kRows = 12;
  static constexpr int kVectors = 2;
  static constexpr int kFewRows = 4;
  static constexpr int kFewPanelRows = 8;
  static constexpr int kStreamStrip = 8;
  using F = __m512;
  using Weight = __m512i;
  static constexpr int kParts = 1;
  using Pair = uint32_t;

  static F fma(F a, F b, F c) { return _mm512_fmadd_ps(a, b, c); }

  template <int>
  static F dot(F acc, Weight weight, const Pair* pair) {
    const __m512i both = _mm512_set1_epi32(static_cast<int>(*pair));
    return _mm512_dpbf16_ps(acc, (__m512bh)weight, (__m512bh)both);
  }

  static F dot_vectors(F acc, Weight weight, Weight row) {
    return _mm512_dpbf16_ps(acc, (__m512bh)weight, (__m512bh)row);
  }

  template <int>
  static Weight weight(Bytes pairs) {
    return pairs;
  }
  static Pair make_pair(uint32_t words) { return words; }

  // Two look-ups in tables of 128 bytes; the code's own sign bit is not part of the index.
  static void expand(Bytes codes, Bytes& low, Bytes& high) {
    const __m512i low_byte = _mm512_permutex2var_epi8(_mm512_load_si512(kE4m3Bytes.low), codes,
                                                      _mm512_load_si512(kE4m3Bytes.low + 64));
    const __m512i magnitude = _mm512_permutex2var_epi8(_mm512_load_si512(kE4m3Bytes.high), codes,
                                                       _mm512_load_si512(kE4m3Bytes.high + 64));
    constexpr int kOrAnd = 0xf8;  // first | (second & third)
    const __m512i high_byte =
        _mm512_ternarylogic_epi32(magnitude, codes, _mm512_set1_epi8(char(0x80)), kOrAnd);
    low = _mm512_unpacklo_epi8(low_byte, high_byte);
    high = _mm512_unpackhi_epi8(low_byte, high_byte);
  }
};

}  // namespace
}  // namespace deepgemm::cpu
