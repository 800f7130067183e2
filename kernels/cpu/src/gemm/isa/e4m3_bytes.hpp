// The two bytes of each non-negative e4m3 code's bf16 value, as tables for byte look-up.
#pragma once

#include <cstdint>

namespace deepgemm::cpu {
namespace {

struct E4m3Bytes {
  alignas(64) uint8_t low[128];
  alignas(64) uint8_t high[128];
};

constexpr uint16_t bf16_bits_of_e4m3(int code) {
  const int exponent = code >> 3;
  const int mantissa = code & 7;
  if (code == 0x7f) return 0x7fc0;
  if (exponent > 0) return static_cast<uint16_t>(((exponent + 120) << 7) | (mantissa << 4));
  if (mantissa == 0) return 0;
  const int leading = mantissa >= 4 ? 2 : mantissa >= 2 ? 1 : 0;  // mantissa * 2^-9
  return static_cast<uint16_t>(((118 + leading) << 7) | ((mantissa << (7 - leading)) & 0x7f));
}

constexpr E4m3Bytes make_e4m3_bytes() {
  E4m3Bytes bytes{};
  for (int code = 0; code < 128; ++code) {
    bytes.low[code] = static_cast<uint8_t>(bf16_bits_of_e4m3(code) & 0xff);
    bytes.high[code] = static_cast<uint8_t>(bf16_bits_of_e4m3(code) >> 8);
  }
  return bytes;
}

constexpr E4m3Bytes kE4m3Bytes = make_e4m3_bytes();

}  // namespace
}  // namespace deepgemm::cpu
