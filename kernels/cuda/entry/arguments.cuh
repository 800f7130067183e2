// What a launch passes to fp8_gemm: one struct, so that the host packs bytes once.
#pragma once

#include "base/divisor.cuh"
#include "tma/tensor_map.cuh"

namespace deepgemm {

// D = left * right^T. The left operand is on the 64-row side of wgmma. Without swapping left is A
// and right is B; with it left is B and right is A, and the kernel writes its tiles transposed.
// Offsets are part of the contract with the host, which checks sizeof.
struct GemmArguments {
  TensorMap left;             // e4m3 [left_extent, k]
  TensorMap right;            // e4m3 [right_extent, k]
  TensorMap left_scales;      // f32 [ceil(k / 128), round_up(left_extent, 4)] where 1x128
  TensorMap right_scales;     // the same of the right operand
  TensorMap out;              // D, for the stores through the copy engine
  const float* block_scales;  // 128x128 scales of the operand that has them, row-major
  void* direct_out;           // D, for configs that store it from registers
  float* partials;            // workspace of streamed tiles
  u32* partial_flags;         // zero before the first launch; a launch leaves them zero
  i64 out_stride;             // elements from one row of D to the next
  u32 block_scale_stride;     // elements from one row of block_scales to the next
  u32 left_extent;
  u32 right_extent;
  u32 k;
  u32 left_tiles;      // tiles (of a cluster) along the left operand
  u32 right_tiles;     // and along the right one
  u32 band;            // left tiles that are walked together for the sake of L2
  u32 workers;         // clusters in the grid
  u32 streamed_tiles;  // tiles that workers share along K, see scheduler/work_list.cuh
  u32 weights_ready;   // 1: no kernel still running writes B or its scales; grouped: the group data

  // Grouped products. The extent of the weights and the tiles along them are those of one group;
  // streamed_tiles is a Streaming, because the number of tiles is only known here.
  const int* group_data;  // of a row, offsets, or sizes, as the layout has it
  u32 groups;
  u32 group_rows;  // rows of D from one group to the next: masked, k-grouped

  // What would be divisions before a block's first load, and after each tile: dense products, and
  // for the place of a tile k-grouped ones.
  Divisor band_tiles;   // by the number of tiles in a band
  Divisor band_height;  // by the left tiles of a band
  Divisor last_height;  // by those of the last band
  Divisor k_blocks;     // by the K blocks of a tile
  u32 share;            // K blocks of streamed tiles per worker,
  u32 longer_shares;    // and how many workers have one more
};

static_assert(sizeof(GemmArguments) == 832, "the host packs 832 bytes of arguments");

}  // namespace deepgemm
