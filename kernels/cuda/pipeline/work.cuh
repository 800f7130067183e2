// A block's view of its work: segments of tiles, with the tile's place in elements.
#pragma once

#include "entry/arguments.cuh"
#include "pipeline/tile.cuh"
#include "scheduler/tile_order.cuh"
#include "scheduler/work_list.cuh"

namespace deepgemm {

struct BlockPlace {
  u32 worker;
  u32 rank;  // in the cluster
};

// The corner of a block's tile. It can lie outside D: then its loads give zeros and nothing is
// stored.
struct Corner {
  u32 left;
  u32 right;
};

// The same in a grouped product: tokens count from the first row of D, weights from the first row
// of their group.
struct GroupCorner {
  u32 left;
  u32 right;
  u32 group;
  u32 work_end;  // unswapped: rows from here on have nothing to multiply
  u32 k_size;    // columns of a k-grouped tile's group
  u32 k_shift;   // and by how much its first one misses a place that the copy engine can start at

  DEEPGEMM_DEVICE operator Corner() const { return {left, right}; }
};

// Columns of K, e4m3, that the copy engine can begin at: every 16 bytes.
constexpr u32 kColumnGrain = 16;

template <bool kGrouped>
struct CornerOf {
  using Type = Corner;
};

template <>
struct CornerOf<true> {
  using Type = GroupCorner;
};

template <class Config>
using TileCorner = typename CornerOf<Tile<Config>::kGrouped>::Type;

DEEPGEMM_DEVICE WorkShape work_shape(const GemmArguments& arguments) {
  return {arguments.left_tiles * arguments.right_tiles,
          ceil_div(arguments.k, static_cast<u32>(kScaleBlock)),
          arguments.workers,
          arguments.streamed_tiles,
          arguments.share,
          arguments.longer_shares};
}

// The blocks of a cluster stand side by side along the operand that they do not share.
template <class Config>
DEEPGEMM_DEVICE Corner corner_of(const GemmArguments& arguments, u32 tile, u32 rank) {
  using T = Tile<Config>;
  constexpr u32 kLeftBlocks = T::kSharesRight ? T::kCluster : 1;
  constexpr u32 kRightBlocks = T::kSharesLeft ? T::kCluster : 1;
  const TileGrid grid = {arguments.left_tiles, arguments.right_tiles, arguments.band,
                         arguments.band_tiles, arguments.band_height, arguments.last_height};
  const TilePlace place = grid.place_of(tile);
  return {(place.left * kLeftBlocks + (T::kSharesRight ? rank : 0)) * T::kLeft,
          (place.right * kRightBlocks + (T::kSharesLeft ? rank : 0)) * T::kRight};
}

// Where a row of the weights' 128x128 scales begins; in a grouped product, of the tile's group. A
// scale stands for 16 KB of weights, so that 32 bits count them all.
template <class Config>
DEEPGEMM_DEVICE u32 block_scale_row(const GemmArguments& arguments,
                                    const TileCorner<Config>& corner, u32 block) {
  if constexpr (Tile<Config>::kGrouped) {
    const u32 weights = Config::kSwapped ? arguments.left_extent : arguments.right_extent;
    block += corner.group * ceil_div(weights, static_cast<u32>(kScaleBlock));
  }
  return block * arguments.block_scale_stride;
}

}  // namespace deepgemm
