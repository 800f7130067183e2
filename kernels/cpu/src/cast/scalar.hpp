// Scalar conversions that define every cast bit for bit. The vector kernels agree with them on all
// inputs; drivers and tails call them directly. Internal linkage throughout: the translation units
// that include this are compiled for different instruction sets.
#pragma once

#include <bit>
#include <cstdint>

namespace deepgemm::cpu {

static constexpr uint32_t kAbsMask = 0x7fffffffu;
static constexpr uint32_t kExponentMask = 0x7f800000u;
static constexpr uint32_t kInfinityBits = 0x7f800000u;
static constexpr uint32_t kAmaxFloorBits = 0x24600000u;  // 1.75 * 2^-55 = 448 * 2^-63

static inline float float_of(uint32_t bits) { return std::bit_cast<float>(bits); }
static inline uint32_t bits_of(float value) { return std::bit_cast<uint32_t>(value); }

// Rounds |x| to a multiple of 2^(e - kept) where e is its exponent, at least `least` (biased):
// adding 2^(e + 23 - kept) pushes the bits below that unit out, to nearest even. The low bits of
// the sum's pattern are then the rounded mantissa with its leading one.
static inline uint32_t rounded_pattern(uint32_t abs_bits, uint32_t least, uint32_t kept) {
  const uint32_t floor = least << 23;
  const uint32_t power = (abs_bits > floor ? abs_bits : floor) & kExponentMask;
  return bits_of(float_of(abs_bits) + float_of(power + ((23 - kept) << 23)));
}

static inline uint8_t e4m3_from_f32(float value) {
  const uint32_t bits = bits_of(value);
  const uint32_t sign = (bits >> 24) & 0x80u;
  uint32_t abs_bits = bits & kAbsMask;
  if (abs_bits > kInfinityBits) return static_cast<uint8_t>(sign | 0x7fu);
  const uint32_t largest = 0x43e00000u;  // 448
  if (abs_bits > largest) abs_bits = largest;
  const uint32_t pattern = rounded_pattern(abs_bits, 121, 3);
  return static_cast<uint8_t>(sign | (pattern + (pattern >> 20) - 8u * 141u));
}

static inline float f32_from_e4m3(uint8_t code) {
  const uint32_t sign = (code & 0x80u) << 24;
  const uint32_t magnitude = code & 0x7fu;
  if (magnitude == 0x7fu) return float_of(sign | 0x7fc00000u);
  if (magnitude >= 8) return float_of(sign | ((magnitude << 20) + (120u << 23)));
  return float_of(sign | bits_of(static_cast<float>(magnitude) * 0x1p-9f));
}

static inline uint16_t bf16_from_f32(float value) {
  const uint32_t bits = bits_of(value);
  if ((bits & kAbsMask) > kInfinityBits) return static_cast<uint16_t>((bits >> 16) | 0x40u);
  return static_cast<uint16_t>((bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16);
}

static inline float f32_from_bf16(uint16_t code) {
  return float_of(static_cast<uint32_t>(code) << 16);
}

static inline uint16_t f16_from_f32(float value) {
  const uint32_t bits = bits_of(value);
  const uint32_t sign = (bits >> 16) & 0x8000u;
  const uint32_t abs_bits = bits & kAbsMask;
  if (abs_bits > kInfinityBits) {
    return static_cast<uint16_t>(sign | 0x7e00u | ((abs_bits >> 13) & 0x1ffu));
  }
  if (abs_bits >= 0x477ff000u) return static_cast<uint16_t>(sign | 0x7c00u);  // 65520 and above
  const uint32_t pattern = rounded_pattern(abs_bits, 113, 10);
  return static_cast<uint16_t>(sign | ((pattern + (pattern >> 13) - (126u << 10)) & 0x7fffu));
}

static inline float f32_from_f16(uint16_t code) {
  const uint32_t sign = (code & 0x8000u) << 16;
  const uint32_t magnitude = code & 0x7fffu;
  if (magnitude > 0x7c00u) return float_of(sign | 0x7fc00000u | (magnitude << 13));
  if (magnitude == 0x7c00u) return float_of(sign | kInfinityBits);
  if (magnitude >= 0x400u) return float_of(sign | ((magnitude << 13) + (112u << 23)));
  return float_of(sign | bits_of(static_cast<float>(magnitude) * 0x1p-24f));
}

// Code 0xff is NaN; code 0 is 2^-127, an f32 subnormal.
static inline float f32_from_ue8m0(uint8_t code) {
  if (code == 0xffu) return float_of(0x7fc00000u);
  return float_of(code == 0 ? 0x00400000u : static_cast<uint32_t>(code) << 23);
}

}  // namespace deepgemm::cpu
