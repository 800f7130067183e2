// The float formats by their definitions, in float64 and integers, written without a look at the
// kernels: what the casts are tested against.
#pragma once

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <random>
#include <vector>

#include "check.hpp"
#include "deepgemm/cpu/cast.hpp"

namespace deepgemm::cpu::test {

// check() with a printf-like description.
template <class... Values>
void checkf(bool holds, const char* format, Values... values) {
  if (holds) return check(true, {});
  char text[256];
  std::snprintf(text, sizeof text, format, values...);
  check(false, text);
}

// A binary format with `mantissa` explicit bits, smallest normal exponent `least` and bias 1 -
// least.
struct Format {
  int mantissa;
  int least;
  int exponent_bits;
};

inline constexpr Format kE4m3{3, -6, 4};
inline constexpr Format kF16{10, -14, 5};
inline constexpr Format kBf16{7, -126, 8};

inline double decode_finite(Format format, uint32_t code) {
  const uint32_t fraction = code & ((1u << format.mantissa) - 1);
  const int exponent =
      static_cast<int>((code >> format.mantissa) & ((1u << format.exponent_bits) - 1));
  const double significand = (exponent ? 1.0 : 0.0) + std::ldexp(fraction, -format.mantissa);
  const double magnitude = std::ldexp(significand, (exponent ? exponent - 1 : 0) + format.least);
  const bool negative = (code >> (format.mantissa + format.exponent_bits)) & 1;
  return negative ? -magnitude : magnitude;
}

// |value| rounded to nearest even as if the exponent had no upper end, as the code without a sign.
inline int64_t encode_magnitude(Format format, double value) {
  if (value == 0) return 0;
  int exponent = 0;
  std::frexp(value, &exponent);
  exponent = std::max(exponent - 1, format.least);
  const double unit = std::ldexp(1.0, exponent - format.mantissa);
  const int64_t steps = static_cast<int64_t>(std::nearbyint(std::fabs(value) / unit));
  return steps + (static_cast<int64_t>(exponent - format.least) << format.mantissa);
}

inline uint8_t encode_e4m3(float value) {
  const uint8_t sign = std::signbit(value) ? 0x80 : 0;
  if (std::isnan(value)) return sign | 0x7f;
  if (std::fabs(value) >= 448.0f) return sign | 0x7e;
  return static_cast<uint8_t>(sign | encode_magnitude(kE4m3, value));
}

inline float decode_e4m3(uint8_t code) {
  if ((code & 0x7f) == 0x7f) return std::copysign(std::nanf(""), code & 0x80 ? -1.0f : 1.0f);
  return static_cast<float>(decode_finite(kE4m3, code));
}

inline uint16_t encode_half(Format format, float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  const uint32_t sign = bits >> 31 << 15;
  const uint32_t infinity = ((1u << format.exponent_bits) - 1) << format.mantissa;
  if (std::isnan(value)) {
    const uint32_t payload = (bits & 0x7fffff) >> (23 - format.mantissa);
    return static_cast<uint16_t>(sign | infinity | (1u << (format.mantissa - 1)) | payload);
  }
  if (std::isinf(value)) return static_cast<uint16_t>(sign | infinity);
  const int64_t code = encode_magnitude(format, value);
  return static_cast<uint16_t>(sign | (code < infinity ? static_cast<uint32_t>(code) : infinity));
}

// A signalling NaN of f16 becomes quiet; bf16 is a prefix of f32 and is left as it is.
inline float decode_half(Format format, uint16_t code) {
  const uint32_t infinity = ((1u << format.exponent_bits) - 1) << format.mantissa;
  const uint32_t magnitude = code & 0x7fff;
  const uint32_t sign = (code & 0x8000u) << 16;
  if (magnitude == infinity) return std::bit_cast<float>(sign | 0x7f800000u);
  if (magnitude > infinity) {
    const uint32_t quiet = format.mantissa == 10 ? 0x400000u : 0u;
    const uint32_t payload = (magnitude - infinity) << (23 - format.mantissa);
    return std::bit_cast<float>(sign | 0x7f800000u | quiet | payload);
  }
  return static_cast<float>(decode_finite(format, code));
}

inline float decode_ue8m0(uint8_t code) {
  return code == 0xff ? std::nanf("") : static_cast<float>(std::ldexp(1.0, code - 127));
}

// Elements of any float type in one array.
class FloatArray {
 public:
  FloatArray(FloatType type, int64_t count)
      : type_(type), bytes_(static_cast<size_t>(count * (type == FloatType::f32 ? 4 : 2))) {}

  void* data() { return bytes_.data(); }
  const void* data() const { return bytes_.data(); }
  FloatType type() const { return type_; }

  void set(int64_t at, float value) {
    if (type_ == FloatType::f32) return put(at, value);
    put(at, encode_half(type_ == FloatType::f16 ? kF16 : kBf16, value));
  }
  template <class Bits>
  void put(int64_t at, Bits bits) {
    std::memcpy(bytes_.data() + static_cast<size_t>(at) * sizeof bits, &bits, sizeof bits);
  }
  float get(int64_t at) const {
    if (type_ == FloatType::f32) return read<float>(at);
    return decode_half(type_ == FloatType::f16 ? kF16 : kBf16, read<uint16_t>(at));
  }
  template <class Bits>
  Bits read(int64_t at) const {
    Bits bits;
    std::memcpy(&bits, bytes_.data() + static_cast<size_t>(at) * sizeof bits, sizeof bits);
    return bits;
  }

 private:
  FloatType type_;
  std::vector<uint8_t> bytes_;
};

// A draw that visits every magnitude, with a few zeros, NaNs and infinities when `special`.
inline float draw_value(std::mt19937_64& random, bool special) {
  const uint64_t bits = random();
  const int kind = static_cast<int>(bits % 64);
  if (kind == 0) return 0.0f;
  if (special && kind == 1) return bits & 64 ? std::nanf("") : -std::nanf("");
  if (special && kind == 2) return bits & 64 ? INFINITY : -INFINITY;
  const float unit = static_cast<float>(static_cast<double>(bits >> 11) * 0x1p-53 * 2 - 1);
  return std::ldexp(unit, static_cast<int>(bits >> 7 & 7) - 4);
}

}  // namespace deepgemm::cpu::test
