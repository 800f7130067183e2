#include <immintrin.h>

#include "gemm/kernel/f32_pairs.hpp"
#include "gemm/kernel/table.hpp"

namespace deepgemm::cpu {
namespace {

using F32x8 = float __attribute__((vector_size(32)));
using U32x8 = uint32_t __attribute__((vector_size(32)));

__m256i both_halves(__m128i half) { return _mm256_broadcastsi128_si256(half); }

struct Avx2Arithmetic {
  static F32x8 fma(F32x8 a, F32x8 b, F32x8 c) {
    return (F32x8)_mm256_fmadd_ps((__m256)a, (__m256)b, (__m256)c);
  }
};

struct Avx2Hooks : F32Pairs<F32x8, U32x8, Avx2Arithmetic> {
  static constexpr int kLanes = 8;
  // Of 16 registers ten hold totals; with twelve the compiler spills one, which costs a quarter.
  static constexpr int kRows = 5;
  static constexpr int kVectors = 2;
  static constexpr int kFewRows = 2;
  static constexpr int kFewPanelRows = 2;
  static constexpr int kStreamStrip = 4;
  using F = F32x8;
  using Bytes = __m256i;

  static Bytes gather16(const uint8_t* first, int64_t stride) {
    return _mm256_inserti128_si256(
        _mm256_castsi128_si256(_mm_loadu_si128(reinterpret_cast<const __m128i*>(first))),
        _mm_loadu_si128(reinterpret_cast<const __m128i*>(first + stride)), 1);
  }
  static Bytes interleave16_low(Bytes a, Bytes b) { return _mm256_unpacklo_epi16(a, b); }
  static Bytes interleave16_high(Bytes a, Bytes b) { return _mm256_unpackhi_epi16(a, b); }
  static Bytes interleave32_low(Bytes a, Bytes b) { return _mm256_unpacklo_epi32(a, b); }
  static Bytes interleave32_high(Bytes a, Bytes b) { return _mm256_unpackhi_epi32(a, b); }

  // Both bytes of the bf16 by table look-up: from the exponent for normal codes, from the mantissa
  // for subnormal ones.
  static void expand(Bytes codes, Bytes& low, Bytes& high) {
    const __m256i normal_high =
        both_halves(_mm_setr_epi8(0, 0x3c, 0x3d, 0x3d, 0x3e, 0x3e, 0x3f, 0x3f, 0x40, 0x40, 0x41,
                                  0x41, 0x42, 0x42, 0x43, 0x43));
    const __m256i subnormal_high = both_halves(
        _mm_setr_epi8(0, 0x3b, 0x3b, 0x3b, 0x3c, 0x3c, 0x3c, 0x3c, 0, 0, 0, 0, 0, 0, 0, 0));
    const __m256i subnormal_low = both_halves(
        _mm_setr_epi8(0, 0, char(0x80), char(0xc0), 0, 0x20, 0x40, 0x60, 0, 0, 0, 0, 0, 0, 0, 0));
    const __m256i x = _mm256_and_si256(codes, _mm256_set1_epi8(0x7f));
    const __m256i exponent = _mm256_and_si256(_mm256_srli_epi16(x, 3), _mm256_set1_epi8(0x0f));
    const __m256i is_subnormal = _mm256_cmpeq_epi8(exponent, _mm256_setzero_si256());
    const __m256i is_nan = _mm256_cmpeq_epi8(x, _mm256_set1_epi8(0x7f));
    const __m256i shifted = _mm256_and_si256(_mm256_slli_epi16(x, 4), _mm256_set1_epi8(char(0xf0)));
    const __m256i low_byte =
        _mm256_blendv_epi8(shifted, _mm256_shuffle_epi8(subnormal_low, x), is_subnormal);
    __m256i high_byte = _mm256_blendv_epi8(_mm256_shuffle_epi8(normal_high, exponent),
                                           _mm256_shuffle_epi8(subnormal_high, x), is_subnormal);
    // 0x7f over the exponent makes it all ones together with the low byte's top bit.
    high_byte = _mm256_or_si256(high_byte, _mm256_and_si256(is_nan, x));
    high_byte = _mm256_or_si256(high_byte, _mm256_andnot_si256(x, codes));
    low = _mm256_unpacklo_epi8(low_byte, high_byte);
    high = _mm256_unpackhi_epi8(low_byte, high_byte);
  }
};

}  // namespace

const KernelTable& avx2_kernels() {
  static constexpr KernelTable table = make_table<Avx2Hooks>();
  return table;
}

}  // namespace deepgemm::cpu
