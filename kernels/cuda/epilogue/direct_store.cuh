// D straight from registers: f32, what is added to D, and tiles of groups that do not fill them.
// Eight threads of a warp write whole sectors of 32 bytes of f32, in both orientations.
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

// What a tile may write.
struct StoreBounds {
  u32 left_end;
  u32 right_end;
  void* out;
  int only_group;   // contiguous and accumulating: the group whose rows are added to; -1 for all
  u32 token_begin;  // packed: the group's first row
};

template <class Config>
class DirectStore {
  using T = Tile<Config>;

 public:
  DEEPGEMM_DEVICE DirectStore(const GemmArguments& arguments, SharedStorage<Config>&,
                              const MathThread& me)
      : arguments_(arguments), me_(me) {}

  DEEPGEMM_DEVICE void store(Corner corner, const Sums<Config>& sums) const {
    store(corner, {arguments_.left_extent, arguments_.right_extent, arguments_.direct_out, -1, 0},
          sums);
  }

  DEEPGEMM_DEVICE void store(Corner corner, const StoreBounds& bounds,
                             const Sums<Config>& sums) const {
#pragma unroll
    for (int chunk = 0; chunk < T::kChunks; ++chunk) {
      const u32 left = corner.left + me_.group * T::kGroupRows +
                       chunk / Config::kColumnSplits * 64 + me_.first_row();
      const u32 right =
          corner.right + chunk % Config::kColumnSplits * T::kChunkColumns + me_.first_column();
      store_chunk(left, right, bounds, sums[chunk]);
    }
  }

  DEEPGEMM_DEVICE void finish() const {}

 private:
  using Element = typename ElementOf<Config::kOut>::Type;

  // The old values of a batch are all read before the first new one is written, so that the reads
  // overlap; a whole chunk of them would not fit into the registers.
  static constexpr int kBatch = 32;

  // f32 pairs are added where they lie: every element once, so that the bits do not depend on when.
  static constexpr bool kAddsInMemory =
      Config::kAccumulate && Config::kOut == Output::kF32 && !Config::kSwapped;

  // Where the thread's part of a chunk goes. Unswapped it is in two rows of D, 8 apart, with pairs
  // of neighbours 8 columns apart; swapped it is in two columns, and a pair is in two rows.
  struct Place {
    Element* first;  // register 0
    u32 right;
    bool covers[2];  // the two left rows
  };

  DEEPGEMM_DEVICE Place place_of(u32 left, u32 right, const StoreBounds& bounds) const {
    const u32 row = Config::kSwapped ? right : left;
    const u32 column = Config::kSwapped ? left : right;
    return {static_cast<Element*>(bounds.out) + row * arguments_.out_stride + column,
            right,
            {covers_left(left, bounds), covers_left(left + 8, bounds)}};
  }

  DEEPGEMM_DEVICE bool covers_left(u32 left, const StoreBounds& bounds) const {
    if (left >= bounds.left_end) return false;
    if constexpr (T::kLayout == Layout::kPacked && !Config::kSwapped) {
      return left >= bounds.token_begin;
    }
    if constexpr (T::kLayout == Layout::kContiguous && Config::kAccumulate) {
      return bounds.only_group < 0 || ptx::load(arguments_.group_data + left) == bounds.only_group;
    }
    return true;
  }

  DEEPGEMM_DEVICE void store_chunk(u32 left, u32 right, const StoreBounds& bounds,
                                   const float (&values)[T::kChunkRegisters]) const {
    const Place place = place_of(left, right, bounds);
#pragma unroll
    for (int begin = 0; begin < T::kChunkRegisters; begin += kBatch) {
      float old[kBatch] = {};
#pragma unroll
      for (int r = begin; r < least(begin + kBatch, T::kChunkRegisters); r += 2) {
        if constexpr (Config::kAccumulate && !kAddsInMemory) {
          read_pair(place, bounds, r, old[r - begin], old[r - begin + 1]);
        }
      }
#pragma unroll
      for (int r = begin; r < least(begin + kBatch, T::kChunkRegisters); r += 2) {
        write_pair(place, bounds, r, values[r] + old[r - begin],
                   values[r + 1] + old[r - begin + 1]);
      }
    }
  }

  // Whether the tile may write register r and, unswapped, its neighbour: there the extent along the
  // right operand (N) is a multiple of 8, so that both are inside or outside. Swapped it is tokens,
  // and `second` asks for the neighbour.
  DEEPGEMM_DEVICE static bool covers(const Place& place, const StoreBounds& bounds, int r,
                                     int second = 0) {
    const u32 right = place.right + r / 4 * 8 + second;
    if constexpr (T::kLayout == Layout::kPacked && Config::kSwapped) {
      if (right < bounds.token_begin) return false;
    }
    return place.covers[r % 4 / 2] && right < bounds.right_end;
  }

  DEEPGEMM_DEVICE Element* element(const Place& place, int r) const {
    const i64 stride = arguments_.out_stride;
    if constexpr (Config::kSwapped) return place.first + r / 4 * 8 * stride + r % 4 * 4;
    return place.first + r % 4 * 4 * stride + r / 4 * 8;
  }

  DEEPGEMM_DEVICE void read_pair(const Place& place, const StoreBounds& bounds, int r, float& a,
                                 float& b) const {
    const Element* from = element(place, r);
    if constexpr (Config::kSwapped) {
      if (covers(place, bounds, r)) a = load(from);
      if (covers(place, bounds, r, 1)) b = load(from + arguments_.out_stride);
    } else if (!covers(place, bounds, r)) {
      return;
    } else if constexpr (Config::kOut == Output::kF32) {
      const float2 pair = ptx::load_pair(from);
      a = pair.x;
      b = pair.y;
    } else {
      const u32 pair = *reinterpret_cast<const u32*>(from);
      a = __uint_as_float(pair << 16);
      b = __uint_as_float(pair & 0xffff0000u);
    }
  }

  DEEPGEMM_DEVICE void write_pair(const Place& place, const StoreBounds& bounds, int r, float a,
                                  float b) const {
    Element* to = element(place, r);
    if constexpr (Config::kSwapped) {
      if (covers(place, bounds, r)) put(to, a);
      if (covers(place, bounds, r, 1)) put(to + arguments_.out_stride, b);
    } else if (!covers(place, bounds, r)) {
      return;
    } else if constexpr (kAddsInMemory) {
      ptx::add_pair(to, a, b);
    } else if constexpr (Config::kOut == Output::kF32) {
      ptx::store_pair(to, a, b);
    } else {
      *reinterpret_cast<u32*>(to) = ptx::pack_bf16(a, b);
    }
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
