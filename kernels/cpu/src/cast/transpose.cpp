// transpose_bytes(): squares of 128.
#include "cast/tiles.hpp"
#include "cast/transpose_square.hpp"

namespace deepgemm::cpu {

void transpose_bytes(Pool& pool, Isa isa, const TransposeBytesArgs& args) {
  const CastKernels& kernels = cast_kernels(isa);
  for_each_tile(pool, args.groups, args.rows, args.columns, kSquare, kSquare,
                [&](const Tile& tile) {
                  transpose_square(kernels,
                                   args.source + tile.group * args.source_group_stride +
                                       tile.row * args.source_row_stride + tile.column,
                                   args.source_row_stride,
                                   args.out + tile.group * args.out_group_stride +
                                       tile.column * args.out_row_stride + tile.row,
                                   args.out_row_stride, tile.rows, tile.columns);
                });
}

}  // namespace deepgemm::cpu
