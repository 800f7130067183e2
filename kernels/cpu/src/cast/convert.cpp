// Plain conversions of arrays, and of scale grids between formats and orientations.
#include <atomic>

#include "cast/kernels.hpp"
#include "cast/scale_grid.hpp"
#include "cast/tiles.hpp"

namespace deepgemm::cpu {
namespace {

constexpr int64_t kRun = 1 << 16;
// Grids are copied in squares: one side is contiguous in each orientation.
constexpr int64_t kGridTile = 64;

// Returns whether the cell could be expressed in the format of `out`.
bool copy_scale(const ScaleGrid& source, int64_t from, const ScaleGrid& out, int64_t to) {
  if (out.format == ScaleFormat::f32) {
    static_cast<float*>(out.data)[to] = read_scale(source, from);
    return true;
  }
  uint8_t* codes = static_cast<uint8_t*>(out.data);
  if (source.format == ScaleFormat::ue8m0) {
    codes[to] = static_cast<const uint8_t*>(source.data)[from];
    return true;
  }
  const uint32_t bits = bits_of(static_cast<const float*>(source.data)[from]);
  const bool normal_power = (bits & 0x7fffffu) == 0 && bits >= 0x00800000u && bits < kInfinityBits;
  const bool smallest = bits == 0x00400000u;  // 2^-127, the subnormal of code 0
  codes[to] = static_cast<uint8_t>(normal_power ? bits >> 23 : smallest ? 0 : 0xff);
  return normal_power || smallest;
}

}  // namespace

void convert_floats(Pool& pool, Isa isa, const ConvertArgs& args) {
  const auto kernel =
      cast_kernels(isa)
          .convert[static_cast<int>(args.source_type)][static_cast<int>(args.out_type)];
  for_each_run(pool, args.count, kRun, [&](int64_t first, int64_t count) {
    kernel(static_cast<const char*>(args.source) + first * element_bytes(args.source_type), count,
           static_cast<char*>(args.out) + first * element_bytes(args.out_type));
  });
}

void convert_scales(Pool& pool, Isa, const uint8_t* source, float* out, int64_t count) {
  for_each_run(pool, count, kRun, [&](int64_t first, int64_t length) {
    for (int64_t i = first; i < first + length; ++i) out[i] = f32_from_ue8m0(source[i]);
  });
}

bool relayout_scales(Pool& pool, Isa, const RelayoutScalesArgs& args) {
  std::atomic<bool> exact{true};
  for_each_tile(
      pool, args.groups, args.rows, args.columns, kGridTile, kGridTile, [&](const Tile& tile) {
        bool tile_exact = true;
        for (int64_t r = tile.row; r < tile.row + tile.rows; ++r) {
          for (int64_t c = tile.column; c < tile.column + tile.columns; ++c) {
            tile_exact &= copy_scale(args.source, scale_index(args.source, tile.group, r, c),
                                     args.out, scale_index(args.out, tile.group, r, c));
          }
        }
        if (!tile_exact) exact.store(false, std::memory_order_relaxed);
      });
  zero_padding_rows(args.out, args.groups, args.rows, args.columns);
  return exact.load(std::memory_order_relaxed);
}

}  // namespace deepgemm::cpu
