// transpose_bytes(): squares of 128 through a small buffer, so that every line of the output is
// written whole and a row stride that is a power of two does not thrash one cache set.
#include <cstring>

#include "cast/kernels.hpp"
#include "cast/scale_grid.hpp"
#include "cast/tiles.hpp"

namespace deepgemm::cpu {
namespace {

constexpr int64_t kSquare = 128;

void run_tile(const CastKernels& kernels, const TransposeBytesArgs& args, const Tile& tile) {
  alignas(64) uint8_t buffer[kSquare * kSquare];
  const uint8_t* source = args.source + tile.group * args.source_group_stride +
                          tile.row * args.source_row_stride + tile.column;
  uint8_t* out =
      args.out + tile.group * args.out_group_stride + tile.column * args.out_row_stride + tile.row;
  kernels.transpose(source, args.source_row_stride, buffer, kSquare, tile.rows, tile.columns);
  for (int64_t c = 0; c < tile.columns; ++c) {
    std::memcpy(out + c * args.out_row_stride, buffer + c * kSquare,
                static_cast<size_t>(tile.rows));
  }
}

}  // namespace

void transpose_bytes(Pool& pool, Isa isa, const TransposeBytesArgs& args) {
  const CastKernels& kernels = cast_kernels(isa);
  for_each_tile(pool, args.groups, args.rows, args.columns, kSquare, kSquare,
                [&](const Tile& tile) { run_tile(kernels, args, tile); });
}

}  // namespace deepgemm::cpu
