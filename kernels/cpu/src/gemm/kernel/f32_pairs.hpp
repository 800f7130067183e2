// How instruction sets without a bf16 dot product multiply pairs: both halves of a packed weight
// widen to f32 with one operation each, since bf16 is the upper half of an f32.
#pragma once

#include <cstdint>
#include <cstring>

namespace deepgemm::cpu {
namespace {

struct F32Pair {
  float even;
  float odd;
};

inline float f32_from_bits(uint32_t bits) {
  float value;
  std::memcpy(&value, &bits, sizeof(value));
  return value;
}

// F and U are f32 and uint32 vectors of the same size; Arithmetic has fma(F, F, F).
template <class F, class U, class Arithmetic>
struct F32Pairs {
  using Pair = F32Pair;
  using Weight = F;
  static constexpr int kParts = 2;

  template <int kPart, class Bytes>
  static Weight weight(Bytes bytes) {
    const U words = (U)bytes;
    return kPart == 0 ? (F)(words << 16) : (F)(words & 0xffff0000u);
  }

  static F fma(F a, F b, F c) { return Arithmetic::fma(a, b, c); }

  template <int kPart>
  static F dot(F acc, Weight weight, const Pair* pair) {
    return fma(weight, (kPart == 0 ? pair->even : pair->odd) - F{}, acc);
  }

  static F dot_vectors(F acc, Weight weight, Weight row) { return fma(weight, row, acc); }

  static Pair make_pair(uint32_t words) {
    return {f32_from_bits(words << 16), f32_from_bits(words & 0xffff0000u)};
  }
};

}  // namespace
}  // namespace deepgemm::cpu
