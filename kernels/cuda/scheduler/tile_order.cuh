// From the number of a tile to its place. Plain arithmetic: the host's tests run this file.
#pragma once

#include "base/types.cuh"

namespace deepgemm {

struct TilePlace {
  u32 left;  // in tiles along the left operand
  u32 right;
};

// Tiles that run at the same time should share rows of both operands in L2: the grid of tiles is
// cut into bands of `band` left tiles, and a band is walked column by column.
DEEPGEMM_ANYWHERE TilePlace place_of_tile(u32 tile, u32 left_tiles, u32 right_tiles, u32 band) {
  const u32 per_band = band * right_tiles;
  u32 first = 0;
  u32 within = tile;
  if (tile >= per_band) {  // no division before a block's first load where there is but one band
    first = tile / per_band * band;
    within = tile % per_band;
  }
  const u32 height = least(band, left_tiles - first);
  return {first + within % height, within / height};
}

}  // namespace deepgemm
