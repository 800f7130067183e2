// e4m3 values times their scales, in f32, rounded once to the result's format. config.cuh is
// generated (DequantizeConfig): kAligned, and kOut as a Source.
//
// A block of threads covers 32 rows by 256 columns; a thread writes 16 bytes at a time.
#include "base/choices.cuh"
#include "config.cuh"
#include "ptx/control.cuh"
#include "ptx/convert.cuh"
#include "ptx/stmatrix.cuh"
#include "quantize/arguments.cuh"

namespace deepgemm {

constexpr u32 kTileRows = 32;
constexpr u32 kTileColumns = 256;
constexpr u32 kWarps = 8;

template <Source kOut>
constexpr int kBytesOf = kOut == Source::kF32 ? 4 : 2;

// The codes that make 16 bytes of the result.
template <Source kOut>
struct Codes {
  static constexpr int kBytes = kBytesOf<kOut>;
  static constexpr int kCount = 16 / kBytes;

  u32 words[2];

  template <bool kAligned>
  DEEPGEMM_DEVICE void load(const u8* from, u32 count) {
    words[0] = words[1] = 0;
    if (count == 0) return;
    if constexpr (!kAligned) {
#pragma unroll
      for (u32 i = 0; i < kCount; ++i) {
        if (i < count) words[i / 4] |= static_cast<u32>(from[i]) << i % 4 * 8;
      }
    } else if constexpr (kCount == 8) {
      const uint2 codes = *reinterpret_cast<const uint2*>(from);
      words[0] = codes.x;
      words[1] = codes.y;
    } else {
      words[0] = *reinterpret_cast<const u32*>(from);
    }
  }

  DEEPGEMM_DEVICE void values(float (&to)[kCount]) const {
#pragma unroll
    for (u32 i = 0; i < kCount; i += 2) {
      const u32 pair = ptx::from_e4m3x2(words[i / 4] >> i % 4 * 8 & 0xffffu);
      to[i] = ptx::from_f16(pair & 0xffffu);
      to[i + 1] = ptx::from_f16(pair >> 16);
    }
  }
};

template <Source kOut, bool kAligned>
DEEPGEMM_DEVICE void store_values(u8* to, const float (&values)[16 / kBytesOf<kOut>], u32 count) {
  constexpr u32 kCount = 16 / kBytesOf<kOut>;
  u32 words[4];
#pragma unroll
  for (u32 w = 0; w < 4; ++w) {
    if constexpr (kOut == Source::kF32) words[w] = __float_as_uint(values[w]);
    if constexpr (kOut == Source::kF16) {
      words[w] = ptx::to_f16x2(values[w * 2], values[w * 2 + 1]);
    }
    if constexpr (kOut == Source::kBf16) {
      words[w] = ptx::pack_bf16(values[w * 2], values[w * 2 + 1]);
    }
  }
  if (count == 0) return;
  if constexpr (kAligned) {
    *reinterpret_cast<uint4*>(to) = {words[0], words[1], words[2], words[3]};
  } else {
#pragma unroll
    for (u32 i = 0; i < kCount; ++i) {
      if (i >= count) break;
      if constexpr (kCount == 4) {
        reinterpret_cast<u32*>(to)[i] = words[i];
      } else {
        reinterpret_cast<u16*>(to)[i] = static_cast<u16>(words[i / 2] >> i % 2 * 16);
      }
    }
  }
}

// The scales of `kCount` columns of a row; columns that do not exist get that of `column`.
template <u32 kCount>
DEEPGEMM_DEVICE void read_scales(const DequantizeArguments& arguments, u32 group, u32 row,
                                 u32 column, u32 count, float (&scales)[kCount]) {
  const ScaleGrid& grid = arguments.scales;
  const i64 first =
      scale_index(grid, group, row >> arguments.row_shift, column >> arguments.column_shift);
  scales[0] = read_scale(grid, first);
#pragma unroll
  for (u32 i = 1; i < kCount; ++i) {
    const bool own = arguments.column_shift == 0 && i < count;
    scales[i] = own ? read_scale(grid, first + i * grid.column_stride) : scales[0];
  }
}

template <class Config>
DEEPGEMM_DEVICE void dequantize_tile(const DequantizeArguments& arguments) {
  using Vector = Codes<Config::kOut>;
  constexpr u32 kVectors = kTileColumns / (kWarpThreads * Vector::kCount);
  const CastTile place(arguments.row_tiles, arguments.column_tiles);
  const u8* values = arguments.values + place.group * arguments.values_group_stride;
  u8* out =
      static_cast<u8*>(arguments.out) + place.group * arguments.out_group_stride * Vector::kBytes;
  const u32 first_row = place.row_tile * kTileRows + threadIdx.x / kWarpThreads;
  const u32 first_column =
      place.column_tile * kTileColumns + threadIdx.x % kWarpThreads * Vector::kCount;
  constexpr u32 kRows = kTileRows / kWarps;
  const auto count_of = [&](u32 r, u32 column) {
    const bool exists = first_row + r * kWarps < arguments.rows && column < arguments.columns;
    return exists ? least<u32>(arguments.columns - column, Vector::kCount) : 0;
  };

  Vector codes[kRows][kVectors];
#pragma unroll
  for (u32 r = 0; r < kRows; ++r) {
#pragma unroll
    for (u32 v = 0; v < kVectors; ++v) {
      const u32 column = first_column + v * kWarpThreads * Vector::kCount;
      const u32 row = first_row + r * kWarps;
      codes[r][v].template load<Config::kAligned>(
          values + row * arguments.values_row_stride + column, count_of(r, column));
    }
  }
#pragma unroll
  for (u32 r = 0; r < kRows; ++r) {
#pragma unroll
    for (u32 v = 0; v < kVectors; ++v) {
      const u32 column = first_column + v * kWarpThreads * Vector::kCount;
      const u32 row = first_row + r * kWarps;
      const u32 count = count_of(r, column);
      if (count == 0) continue;
      float products[Vector::kCount];
      float scales[Vector::kCount];
      codes[r][v].values(products);
      read_scales(arguments, place.group, row, column, count, scales);
#pragma unroll
      for (int i = 0; i < Vector::kCount; ++i) products[i] = __fmul_rn(products[i], scales[i]);
      store_values<Config::kOut, Config::kAligned>(
          out + (row * arguments.out_row_stride + column) * Vector::kBytes, products, count);
    }
  }
}

}  // namespace deepgemm

extern "C" __global__ void __launch_bounds__(256)
    dequantize(const __grid_constant__ deepgemm::DequantizeArguments arguments) {
  deepgemm::ptx::allow_next_kernel();
  deepgemm::ptx::wait_for_previous_kernel();
  deepgemm::dequantize_tile<deepgemm::DequantizeConfig>(arguments);
}
