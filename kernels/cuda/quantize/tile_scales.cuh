// The scales of a tile, by what shares one. Each search writes the scales and says which factor
// multiplies element `i` of a thread's vector in row `r` of step `s`.
#pragma once

#include "quantize/scale_rule.cuh"
#include "quantize/tile.cuh"

namespace deepgemm {

// What the threads of a block tell each other on the way to the scales.
union TileExchange {
  u32 of_warps[kTileWarps];
  struct {
    u32 of_warps[kTileWarps][kScaleBlock];  // two columns to a word where elements have 16 bits
    float inverses[kScaleBlock];
  } columns;
};

template <Blocks kBlocks, class Data>
struct TileScales;

// 128x128
template <class Data>
struct TileScales<Blocks::kSquares, Data> {
  using Magnitude = typename Data::Magnitude;
  float inverse;

  DEEPGEMM_DEVICE void find(Data& data, const QuantizeArguments& arguments, const CastTile& place,
                            TileExchange& exchange) {
    u32 all = 0;
    Data::each_row([&](u32 s, u32 r) { all = Magnitude::larger(all, data.rows[s][r].largest()); });
    data.special = !Magnitude::all_finite(all);
    if (data.special) {
      all = 0;
      Data::each_row(
          [&](u32 s, u32 r) { all = Magnitude::larger(all, data.rows[s][r].largest_finite()); });
    }
    const u32 of_warp = __reduce_max_sync(0xffffffffu, Magnitude::folded(all));
    if (threadIdx.x % kWarpThreads == 0) exchange.of_warps[threadIdx.x / kWarpThreads] = of_warp;
    __syncthreads();
    u32 largest = 0;
#pragma unroll
    for (u32 i = 0; i < kTileWarps; ++i) largest = most(largest, exchange.of_warps[i]);
    const BlockScale scale = scale_of(Magnitude::as_f32(largest), arguments.scales.ue8m0 != 0);
    inverse = scale.inverse;
    if (threadIdx.x != 0) return;
    write_cell(arguments.scales, place.group, place.row_tile, place.column_tile, scale.scale);
  }

  DEEPGEMM_DEVICE float operator()(u32, u32, int) const { return inverse; }
};

// 1x128
template <class Data>
struct TileScales<Blocks::kRows, Data> {
  using Magnitude = typename Data::Magnitude;
  float inverses[Data::kSteps][4];

  DEEPGEMM_DEVICE void find(Data& data, const QuantizeArguments& arguments, const CastTile& place,
                            TileExchange&) {
    data.special = false;
#pragma unroll
    for (u32 s = 0; s < Data::kSteps; ++s) {
      u32 largest[4];
#pragma unroll
      for (u32 r = 0; r < 4; ++r) largest[r] = largest_of_row(data, s, r);
      const u32 own = spread_largest(largest);
      const BlockScale scale = scale_of(Magnitude::as_f32(own), arguments.scales.ue8m0 != 0);
#pragma unroll
      for (u32 r = 0; r < 4; ++r) {
        inverses[s][r] = __shfl_sync(0xffffffffu, scale.inverse, r * kLanesPerRow, Data::kLanes);
      }
      const u32 lane = threadIdx.x % Data::kLanes;
      const u32 row = place.row_tile * kScaleBlock + Data::quad(s) * 4 + lane / kLanesPerRow;
      if (lane % kLanesPerRow == 0 && row < arguments.rows) {
        write_cell(arguments.scales, place.group, row, place.column_tile, scale.scale);
      }
    }
  }

  DEEPGEMM_DEVICE float operator()(u32 s, u32 r, int) const { return inverses[s][r]; }

 private:
  static constexpr u32 kLanesPerRow = Data::kLanes / 4;

  static DEEPGEMM_DEVICE u32 largest_of_row(Data& data, u32 s, u32 r) {
    u32 all = data.rows[s][r].largest();
    if (!Magnitude::all_finite(all)) {
      data.special = true;
      all = data.rows[s][r].largest_finite();
    }
    return Magnitude::folded(all);
  }

  // The largest over the lanes of each of four rows; every lane gets that of row
  // lane / kLanesPerRow. Half of what a lane has goes to its partner at the first two steps.
  static DEEPGEMM_DEVICE u32 spread_largest(const u32 (&rows)[4]) {
    const auto exchanged = [](u32 kept, u32 given, u32 distance) {
      return most(kept, __shfl_xor_sync(0xffffffffu, given, distance));
    };
    const bool upper = (threadIdx.x & 2 * kLanesPerRow) != 0;
    const u32 even =
        exchanged(upper ? rows[2] : rows[0], upper ? rows[0] : rows[2], 2 * kLanesPerRow);
    const u32 odd =
        exchanged(upper ? rows[3] : rows[1], upper ? rows[1] : rows[3], 2 * kLanesPerRow);
    const bool is_odd = (threadIdx.x & kLanesPerRow) != 0;
    u32 own = exchanged(is_odd ? odd : even, is_odd ? even : odd, kLanesPerRow);
#pragma unroll
    for (u32 step = kLanesPerRow / 2; step > 0; step /= 2) own = exchanged(own, own, step);
    return own;
  }
};

// 128x1
template <class Data>
struct TileScales<Blocks::kColumns, Data> {
  using Magnitude = typename Data::Magnitude;
  static constexpr u32 kCount = Data::Vector::kCount;
  static constexpr u32 kPerWord = kCount / 4;
  float inverses[kCount];

  DEEPGEMM_DEVICE void find(Data& data, const QuantizeArguments& arguments, const CastTile& place,
                            TileExchange& exchange) {
    u32 words[4];
    data.special = false;
#pragma unroll
    for (u32 w = 0; w < 4; ++w) data.special |= find_word(data, w, words[w]);
      // Lanes of a warp that hold other rows of the same columns.
#pragma unroll
    for (u32 lane = Data::kLanes; lane < kWarpThreads; lane *= 2) {
#pragma unroll
      for (u32& word : words) {
        word = Magnitude::larger(word, __shfl_xor_sync(0xffffffffu, word, lane));
      }
    }
    auto& columns = exchange.columns;
    if (threadIdx.x % kWarpThreads < Data::kLanes) {
      u32* to = columns.of_warps[threadIdx.x / kWarpThreads] + Data::column() / kPerWord;
      *reinterpret_cast<uint4*>(to) = {words[0], words[1], words[2], words[3]};
    }
    __syncthreads();
    if (threadIdx.x < kScaleBlock) scale_column(arguments, place, columns);
    __syncthreads();
#pragma unroll
    for (u32 i = 0; i < kCount; ++i) inverses[i] = columns.inverses[Data::column() + i];
  }

  DEEPGEMM_DEVICE float operator()(u32, u32, int i) const { return inverses[i]; }

 private:
  // The largest finite magnitudes of a word of every row; true when something is not finite.
  static DEEPGEMM_DEVICE bool find_word(const Data& data, u32 word, u32& largest) {
    largest = 0;
    Data::each_row([&](u32 s, u32 r) {
      largest = Magnitude::larger(largest, Magnitude::of(data.rows[s][r].words[word]));
    });
    if (Magnitude::all_finite(largest)) return false;
    largest = 0;
    Data::each_row([&](u32 s, u32 r) {
      largest = Magnitude::larger(largest, Magnitude::of_finite(data.rows[s][r].words[word]));
    });
    return true;
  }

  static DEEPGEMM_DEVICE void scale_column(const QuantizeArguments& arguments,
                                           const CastTile& place, auto& columns) {
    u32 largest = 0;
#pragma unroll
    for (u32 w = 0; w < kTileWarps; ++w) {
      const u32 word = columns.of_warps[w][threadIdx.x / kPerWord];
      largest = Magnitude::larger(largest, word);
    }
    if constexpr (kPerWord == 2) largest = largest >> threadIdx.x % 2 * 16 & 0xffffu;
    const BlockScale scale = scale_of(Magnitude::as_f32(largest), arguments.scales.ue8m0 != 0);
    columns.inverses[threadIdx.x] = scale.inverse;
    const u32 column = place.column_tile * kScaleBlock + threadIdx.x;
    if (column >= arguments.columns) return;
    write_cell(arguments.scales, place.group, place.row_tile, column, scale.scale);
  }
};

}  // namespace deepgemm
