// D straight from registers: f32, or what is added to D. Eight threads of a warp write whole
// sectors of 32 bytes of f32, in both orientations.
#pragma once

#include "pipeline/main_loop.cuh"
#include "ptx/stmatrix.cuh"

namespace deepgemm {

template <Output kOut>
struct ElementOf {
  using Type = u16;  // the bits of a bf16
};

template <>
struct ElementOf<Output::kF32> {
  using Type = float;
};

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
      store_chunk(left, right, sums[chunk]);
    }
  }

  DEEPGEMM_DEVICE void finish() const {}

 private:
  // The old values of a batch are all read before the first new one is written, so that the reads
  // overlap; a whole chunk of them would not fit into the registers.
  static constexpr int kBatch = 32;

  DEEPGEMM_DEVICE void store_chunk(u32 left, u32 right,
                                   const float (&values)[T::kChunkRegisters]) const {
#pragma unroll
    for (int begin = 0; begin < T::kChunkRegisters; begin += kBatch) {
      float old[kBatch] = {};
#pragma unroll
      for (int r = begin; r < least(begin + kBatch, T::kChunkRegisters); r += 2) {
        if constexpr (Config::kAccumulate) {
          read_pair(left + r % 4 * 4, right + r / 4 * 8, old[r - begin], old[r - begin + 1]);
        }
      }
#pragma unroll
      for (int r = begin; r < least(begin + kBatch, T::kChunkRegisters); r += 2) {
        write_pair(left + r % 4 * 4, right + r / 4 * 8, values[r] + old[r - begin],
                   values[r + 1] + old[r - begin + 1]);
      }
    }
  }

  // A pair is two neighbours along the right operand. Unswapped, its extent (N) is a multiple of
  // 8, so that both are inside or outside; swapped it is M, and they lie in different rows of D.
  DEEPGEMM_DEVICE void read_pair(u32 left, u32 right, float& a, float& b) const {
    if (left >= arguments_.left_extent || right >= arguments_.right_extent) return;
    if constexpr (Config::kSwapped) {
      a = load(element(right, left));
      if (right + 1 < arguments_.right_extent) b = load(element(right + 1, left));
    } else if constexpr (Config::kOut == Output::kF32) {
      const float2 pair = *reinterpret_cast<const float2*>(element(left, right));
      a = pair.x;
      b = pair.y;
    } else {
      const u32 pair = *reinterpret_cast<const u32*>(element(left, right));
      a = __uint_as_float(pair << 16);
      b = __uint_as_float(pair & 0xffff0000u);
    }
  }

  DEEPGEMM_DEVICE void write_pair(u32 left, u32 right, float a, float b) const {
    if (left >= arguments_.left_extent || right >= arguments_.right_extent) return;
    if constexpr (Config::kSwapped) {
      put(element(right, left), a);
      if (right + 1 < arguments_.right_extent) put(element(right + 1, left), b);
    } else if constexpr (Config::kOut == Output::kF32) {
      *reinterpret_cast<float2*>(element(left, right)) = {a, b};
    } else {
      *reinterpret_cast<u32*>(element(left, right)) = ptx::pack_bf16(a, b);
    }
  }

  using Element = typename ElementOf<Config::kOut>::Type;

  DEEPGEMM_DEVICE Element* element(u32 row, u32 column) const {
    return static_cast<Element*>(arguments_.direct_out) + row * arguments_.out_stride + column;
  }

  DEEPGEMM_DEVICE static float load(const float* from) { return *from; }
  DEEPGEMM_DEVICE static float load(const u16* from) {
    return __uint_as_float(static_cast<u32>(*from) << 16);
  }
  DEEPGEMM_DEVICE static void put(float* to, float value) { *to = value; }
  DEEPGEMM_DEVICE static void put(u16* to, float value) {
    *to = static_cast<u16>(ptx::pack_bf16(value, 0.0f));
  }

  const GemmArguments& arguments_;
  const MathThread& me_;
};

}  // namespace deepgemm
