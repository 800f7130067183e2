// A tile of 128 x 128 elements in the registers of 256 threads.
#pragma once

#include "quantize/arguments.cuh"
#include "quantize/elements.cuh"

namespace deepgemm {

constexpr u32 kTileThreads = 256;
constexpr u32 kTileWarps = kTileThreads / kWarpThreads;
constexpr u32 kQuads = kScaleBlock / 4;  // of rows

// A thread holds the vectors at its column of kSteps quads of rows.
template <Source kSourceFormat>
struct TileData {
  static constexpr Source kSource = kSourceFormat;
  using Vector = Elements<kSource>;
  using Magnitude = typename Vector::Magnitude;
  static constexpr u32 kLanes = kScaleBlock / Vector::kCount;  // threads side by side on a row
  static constexpr u32 kStride = kTileThreads / kLanes;        // quads from one step to the next
  static constexpr u32 kSteps = kQuads / kStride;

  Vector rows[kSteps][4];
  bool special;  // something here is not finite

  static DEEPGEMM_DEVICE u32 column() { return threadIdx.x % kLanes * Vector::kCount; }
  static DEEPGEMM_DEVICE u32 quad(u32 step) { return step * kStride + threadIdx.x / kLanes; }

  // `source` is where the matrix begins, the tile begins at `first_row` and `first_column` of it.
  template <bool kAligned>
  DEEPGEMM_DEVICE void load(const QuantizeArguments& arguments, const u8* source, u32 first_row,
                            u32 first_column) {
    const i64 row_bytes = arguments.source_row_stride * Vector::kBytes;
    const u8* quad_at = source + (first_row + quad(0) * 4) * row_bytes;
#pragma unroll
    for (u32 s = 0; s < kSteps; ++s, quad_at += kStride * 4 * row_bytes) {
      const u8* row_at = quad_at;
#pragma unroll
      for (u32 r = 0; r < 4; ++r, row_at += row_bytes) {
        const bool exists = first_row + quad(s) * 4 + r < arguments.rows;
        rows[s][r].template load<kAligned>(row_at, first_column + column(),
                                           exists ? arguments.columns : 0);
      }
    }
  }

  template <class Visit>
  static DEEPGEMM_DEVICE void each_row(Visit visit) {
#pragma unroll
    for (u32 s = 0; s < kSteps; ++s) {
#pragma unroll
      for (u32 r = 0; r < 4; ++r) visit(s, r);
    }
  }
};

}  // namespace deepgemm
