// D straight from registers: f32, or what is added to D. Eight threads of a warp write whole
// sectors of 32 bytes of f32, in both orientations.
#pragma once

#include "pipeline/main_loop.cuh"
#include "ptx/stmatrix.cuh"

namespace deepgemm {

template <class Config>
class DirectStore {
  using T = Tile<Config>;

 public:
  DEEPGEMM_DEVICE DirectStore(const GemmArguments& arguments, SharedStorage<Config>&,
                              const MathThread& me)
      : arguments_(arguments), me_(me) {}

  DEEPGEMM_DEVICE void store(Corner corner, const Sums<Config>& sums) const {
#pragma unroll
    for (int chunk = 0; chunk < T::kChunks; ++chunk) {
      const u32 left = corner.left + me_.group * T::kGroupRows +
                       chunk / Config::kColumnSplits * 64 + me_.first_row();
      const u32 right =
          corner.right + chunk % Config::kColumnSplits * T::kChunkColumns + me_.first_column();
      store_row(left, right, sums[chunk], 0);
      store_row(left + 8, right, sums[chunk], 2);
    }
  }

  DEEPGEMM_DEVICE void finish() const {}

 private:
  // Registers 4 j + first and the next of one row.
  DEEPGEMM_DEVICE void store_row(u32 left, u32 right, const float (&values)[T::kChunkRegisters],
                                 int first) const {
    if (left >= arguments_.left_extent) return;
#pragma unroll
    for (int r = 0; r < T::kChunkRegisters; r += 4) {
      store_pair(left, right + r * 2, values[r + first], values[r + first + 1]);
    }
  }

  // Two neighbours along the right operand. Unswapped, its extent (N) is a multiple of 8, so that
  // both are inside or outside; swapped it is M.
  DEEPGEMM_DEVICE void store_pair(u32 left, u32 right, float a, float b) const {
    if (right >= arguments_.right_extent) return;
    if constexpr (Config::kSwapped) {
      put(left, right, a);
      if (right + 1 < arguments_.right_extent) put(left, right + 1, b);
    } else {
      const i64 at = left * arguments_.out_stride + right;
      if constexpr (Config::kOut == Output::kF32) {
        float2* to = reinterpret_cast<float2*>(static_cast<float*>(arguments_.direct_out) + at);
        float2 old = {0.0f, 0.0f};
        if constexpr (Config::kAccumulate) old = *to;
        *to = Config::kAccumulate ? float2{old.x + a, old.y + b} : float2{a, b};
      } else {
        u32* to = reinterpret_cast<u32*>(static_cast<u16*>(arguments_.direct_out) + at);
        const u32 old = *to;
        *to = ptx::pack_bf16(from_bf16(old & 0xffff) + a, from_bf16(old >> 16) + b);
      }
    }
  }

  // Swapped: D row `right`, column `left`.
  DEEPGEMM_DEVICE void put(u32 left, u32 right, float value) const {
    const i64 at = right * arguments_.out_stride + left;
    if constexpr (Config::kOut == Output::kF32) {
      float* to = static_cast<float*>(arguments_.direct_out) + at;
      *to = Config::kAccumulate ? *to + value : value;
    } else {
      u16* to = static_cast<u16*>(arguments_.direct_out) + at;
      *to = static_cast<u16>(ptx::pack_bf16(from_bf16(*to) + value, 0.0f));
    }
  }

  DEEPGEMM_DEVICE static float from_bf16(u32 bits) { return __uint_as_float(bits << 16); }

  const GemmArguments& arguments_;
  const MathThread& me_;
};

}  // namespace deepgemm
