// From the number of a tile to its place. Plain arithmetic: the host's tests run this file.
#pragma once

#include "base/divisor.cuh"

namespace deepgemm {

struct TilePlace {
  u32 left;  // in tiles along the left operand
  u32 right;
};

// Tiles that run at the same time should share rows of both operands in L2: the grid of tiles is
// cut into bands of `band` left tiles, and a band is walked column by column.
DEEPGEMM_ANYWHERE TilePlace place_of_tile(u32 tile, u32 left_tiles, u32 right_tiles, u32 band) {
  const u32 per_band = band * right_tiles;
  const u32 first = tile / per_band * band;
  const u32 within = tile % per_band;
  const u32 height = least(band, left_tiles - first);
  return {first + within % height, within / height};
}

// The same for a grid that the host knows.
struct TileGrid {
  u32 left_tiles;
  u32 right_tiles;
  u32 band;
  Divisor band_tiles;   // by band * right_tiles
  Divisor band_height;  // by band
  Divisor last_height;  // by the height of the last band

  DEEPGEMM_ANYWHERE TilePlace place_of(u32 tile) const {
    const u32 number = band_tiles.quotient(tile);
    const u32 first = number * band;
    const u32 within = tile - first * right_tiles;
    const u32 height = least(band, left_tiles - first);
    const u32 right = (height == band ? band_height : last_height).quotient(within);
    return {first + within - right * height, right};
  }
};

}  // namespace deepgemm
