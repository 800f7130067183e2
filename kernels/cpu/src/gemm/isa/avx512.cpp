// AVX-512 without bf16: f32 fused multiply-add on 16 lanes.
#include "gemm/isa/avx512_bytes.hpp"
#include "gemm/kernel/f32_pairs.hpp"
#include "gemm/kernel/table.hpp"

namespace deepgemm::cpu {
namespace {

using F32x16 = float __attribute__((vector_size(64)));
using U32x16 = uint32_t __attribute__((vector_size(64)));

struct Avx512Arithmetic {
  static F32x16 fma(F32x16 a, F32x16 b, F32x16 c) {
    return (F32x16)_mm512_fmadd_ps((__m512)a, (__m512)b, (__m512)c);
  }
};

struct Avx512Hooks : F32Pairs<F32x16, U32x16, Avx512Arithmetic>, Avx512Bytes {
  static constexpr int kLanes = 16;
  static constexpr int kRows = 12;
  static constexpr int kVectors = 2;
  static constexpr int kFewRows = 4;
  static constexpr int kFewPanelRows = 4;
  static constexpr int kStreamStrip = 8;
  using F = F32x16;

  static __m512i everywhere(__m128i quarter) { return _mm512_broadcast_i32x4(quarter); }

  // Both bytes of the bf16 by table look-up: from the exponent for normal codes, from the mantissa
  // for subnormal ones.
  static void expand(Bytes codes, Bytes& low, Bytes& high) {
    const __m512i normal_high =
        everywhere(_mm_setr_epi8(0, 0x3c, 0x3d, 0x3d, 0x3e, 0x3e, 0x3f, 0x3f, 0x40, 0x40, 0x41,
                                 0x41, 0x42, 0x42, 0x43, 0x43));
    const __m512i subnormal_high = everywhere(
        _mm_setr_epi8(0, 0x3b, 0x3b, 0x3b, 0x3c, 0x3c, 0x3c, 0x3c, 0, 0, 0, 0, 0, 0, 0, 0));
    const __m512i subnormal_low = everywhere(
        _mm_setr_epi8(0, 0, char(0x80), char(0xc0), 0, 0x20, 0x40, 0x60, 0, 0, 0, 0, 0, 0, 0, 0));
    const __m512i x = _mm512_and_si512(codes, _mm512_set1_epi8(0x7f));
    const __m512i exponent = _mm512_and_si512(_mm512_srli_epi16(x, 3), _mm512_set1_epi8(0x0f));
    const __mmask64 is_subnormal = _mm512_testn_epi8_mask(exponent, exponent);
    const __mmask64 is_nan = _mm512_cmpeq_epi8_mask(x, _mm512_set1_epi8(0x7f));
    const __m512i shifted = _mm512_and_si512(_mm512_slli_epi16(x, 4), _mm512_set1_epi8(char(0xf0)));
    const __m512i low_byte = _mm512_mask_shuffle_epi8(shifted, is_subnormal, subnormal_low, x);
    __m512i high_byte = _mm512_mask_shuffle_epi8(_mm512_shuffle_epi8(normal_high, exponent),
                                                 is_subnormal, subnormal_high, x);
    // 0x7f over the exponent makes it all ones together with the low byte's top bit.
    high_byte = _mm512_mask_mov_epi8(high_byte, is_nan, x);
    high_byte = _mm512_or_si512(high_byte, _mm512_andnot_si512(x, codes));
    low = _mm512_unpacklo_epi8(low_byte, high_byte);
    high = _mm512_unpackhi_epi8(low_byte, high_byte);
  }
};

}  // namespace

const KernelTable& avx512_kernels() {
  static constexpr KernelTable table = make_table<Avx512Hooks>();
  return table;
}

}  // namespace deepgemm::cpu
