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

DEEPGEMM_DEVICE WorkShape work_shape(const GemmArguments& arguments) {
  return {arguments.left_tiles * arguments.right_tiles,
          ceil_div(arguments.k, static_cast<u32>(kScaleBlock)), arguments.workers,
          arguments.streamed_tiles};
}

// The blocks of a cluster stand side by side along the operand that they do not share.
template <class Config>
DEEPGEMM_DEVICE Corner corner_of(const GemmArguments& arguments, u32 tile, u32 rank) {
  using T = Tile<Config>;
  constexpr u32 kLeftBlocks = T::kSharesRight ? T::kCluster : 1;
  constexpr u32 kRightBlocks = T::kSharesLeft ? T::kCluster : 1;
  const TilePlace place =
      place_of_tile(tile, arguments.left_tiles, arguments.right_tiles, arguments.band);
  return {(place.left * kLeftBlocks + (T::kSharesRight ? rank : 0)) * T::kLeft,
          (place.right * kRightBlocks + (T::kSharesLeft ? rank : 0)) * T::kRight};
}

}  // namespace deepgemm
