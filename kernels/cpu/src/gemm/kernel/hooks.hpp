// What an instruction set brings to the kernels, and what every kernel derives from it.
//
// The kernels are written once over these hooks. Everything in this folder has internal linkage
// through its Hooks argument, a type local to one translation unit: code compiled for AVX-512 must
// never be the copy that the linker keeps for the baseline. For the same reason no inline function
// of the standard library is called.
//
// Hooks provide
//   kLanes          f32 lanes of a vector; 4 per 128 bits
//   kVectors        vectors across a panel
//   kRows           most rows of a tile
//   kFewRows        tiles up to this size keep decoded weights in registers
//   kFewPanelRows   the same where B is prepacked
//   kStreamStrip    rows of B that one or two rows of A meet at a time where lanes run along K;
//   even F, Bytes        f32 and byte vectors of the same size Weight          a vector of pairs
//   made ready for `dot` kParts          dots that it takes to add both products of a pair: 1, or 2
//   for even and odd k Pair            packed element of A: two values of one row
//   weight<part>(Bytes pairs) -> Weight
//   fma(F a, F b, F c) -> F                        a * b + c; fused or not, but always the same
//   dot<part>(F, Weight, const Pair*) -> F
//   dot_vectors(F, Weight, Weight) -> F            what dot<part> does, the second operand a vector
//   make_pair(uint32_t) -> Pair                    from two bf16
//   gather16(const uint8_t* first, stride) -> Bytes   16 codes of each row; a row per 128 bits
//   interleave16_low/high, interleave32_low/high      within each 128 bits
//   expand(Bytes codes, Bytes& low, Bytes& high)      to bf16, of each 128 bits' halves
#pragma once

#include <cstdint>
#include <cstring>

#include "gemm/kernel_table.hpp"

namespace deepgemm::cpu {
namespace {

template <class Hooks>
struct Vectors {
  using F = typename Hooks::F;
  using Bytes = typename Hooks::Bytes;
  using Pair = typename Hooks::Pair;
  using Weight = typename Hooks::Weight;
  static constexpr int kLanes = Hooks::kLanes;
  static constexpr int kVectors = Hooks::kVectors;
  static constexpr int kCols = kLanes * kVectors;
  static constexpr int kGroupPairs = kGroupK / 2;
  static constexpr int kGroupsPerBlock = kScaleBlockK / kGroupK;
  static_assert(kCols <= kMaxPanelCols && Hooks::kRows <= kMaxTileRows);

  static F load(const float* from) {
    F value;
    std::memcpy(&value, from, sizeof(F));
    return value;
  }
  static Bytes load_pairs(const uint32_t* from) {
    Bytes value;
    std::memcpy(&value, from, sizeof(Bytes));
    return value;
  }
  static void store(float* to, F value) { std::memcpy(to, &value, sizeof(F)); }
};

}  // namespace
}  // namespace deepgemm::cpu
