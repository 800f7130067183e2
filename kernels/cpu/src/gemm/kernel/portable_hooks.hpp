// Hooks for 128-bit vectors in GCC/Clang vector extensions: SSE2, NEON and anything else.
#pragma once

#include <cstdint>
#include <cstring>

#if defined(__aarch64__)
#include <arm_neon.h>
#endif

#include "gemm/kernel/f32_pairs.hpp"

namespace deepgemm::cpu {
namespace {

using F32x4 = float __attribute__((vector_size(16)));
using U32x4 = uint32_t __attribute__((vector_size(16)));
using U16x8 = uint16_t __attribute__((vector_size(16)));
using U8x16 = uint8_t __attribute__((vector_size(16)));

#if defined(__clang__)
#define DEEPGEMM_SHUFFLE(Vector, a, b, ...) __builtin_shufflevector(a, b, __VA_ARGS__)
#else
#define DEEPGEMM_SHUFFLE(Vector, a, b, ...) __builtin_shuffle(a, b, Vector{__VA_ARGS__})
#endif

inline U16x8 select(U16x8 mask, U16x8 yes, U16x8 no) { return (mask & yes) | (~mask & no); }

// e4m3 codes in 16-bit lanes to bf16 bits.
inline U16x8 bf16_from_e4m3(U16x8 code) {
  const U16x8 x = code & 0x7f;
  // Normal: the exponent bias goes from 7 to 127, three bits of mantissa become seven.
  U16x8 bits = (x << 4) + static_cast<uint16_t>(120 << 7);
  // Subnormal, m * 2^-9: one formula per leading bit of m.
  bits = select((U16x8)(x < 8), (x << 5) + static_cast<uint16_t>(119 << 7), bits);
  bits = select((U16x8)(x < 4), (x << 6) + static_cast<uint16_t>(118 << 7), bits);
  bits = select((U16x8)(x < 2), x * static_cast<uint16_t>(118 << 7), bits);
  bits = select((U16x8)(x == 0x7f), U16x8{} + static_cast<uint16_t>(0x7fc0), bits);
  return bits | ((code & 0x80) << 8);
}

struct PortableArithmetic {
  static F32x4 fma(F32x4 a, F32x4 b, F32x4 c) {
#if defined(__aarch64__)
    return (F32x4)vfmaq_f32((float32x4_t)c, (float32x4_t)a, (float32x4_t)b);
#else
    return a * b + c;
#endif
  }
};

template <int kTileRows, int kPanelVectors>
struct PortableHooks : F32Pairs<F32x4, U32x4, PortableArithmetic> {
  static constexpr int kLanes = 4;
  static constexpr int kRows = kTileRows;
  static constexpr int kVectors = kPanelVectors;
  static constexpr int kFewRows = 2;
  static constexpr int kFewPanelRows = 2;
  static constexpr int kStreamStrip = 4;
  using F = F32x4;
  using Bytes = U8x16;

  static Bytes gather16(const uint8_t* first, int64_t /*stride*/) {
    Bytes codes;
    std::memcpy(&codes, first, sizeof(codes));
    return codes;
  }
  static Bytes interleave16_low(Bytes a, Bytes b) {
    return (Bytes)DEEPGEMM_SHUFFLE(U16x8, (U16x8)a, (U16x8)b, 0, 8, 1, 9, 2, 10, 3, 11);
  }
  static Bytes interleave16_high(Bytes a, Bytes b) {
    return (Bytes)DEEPGEMM_SHUFFLE(U16x8, (U16x8)a, (U16x8)b, 4, 12, 5, 13, 6, 14, 7, 15);
  }
  static Bytes interleave32_low(Bytes a, Bytes b) {
    return (Bytes)DEEPGEMM_SHUFFLE(U32x4, (U32x4)a, (U32x4)b, 0, 4, 1, 5);
  }
  static Bytes interleave32_high(Bytes a, Bytes b) {
    return (Bytes)DEEPGEMM_SHUFFLE(U32x4, (U32x4)a, (U32x4)b, 2, 6, 3, 7);
  }
  // 16-bit lanes follow the processor's byte order: little-endian only, like the packed formats.
  static void expand(Bytes codes, Bytes& low, Bytes& high) {
    const Bytes zero{};
    low = (Bytes)bf16_from_e4m3((U16x8)DEEPGEMM_SHUFFLE(U8x16, codes, zero, 0, 16, 1, 17, 2, 18, 3,
                                                        19, 4, 20, 5, 21, 6, 22, 7, 23));
    high = (Bytes)bf16_from_e4m3((U16x8)DEEPGEMM_SHUFFLE(U8x16, codes, zero, 8, 24, 9, 25, 10, 26,
                                                         11, 27, 12, 28, 13, 29, 14, 30, 15, 31));
  }
};

}  // namespace
}  // namespace deepgemm::cpu
