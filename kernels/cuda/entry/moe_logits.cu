// The router's product for few tokens: logits [tokens, experts] of e4m3 operands with 1x128 scales,
// those of the weights may be 128x128. config.cuh is generated (LogitsConfig).
//
// What it costs is the time to read the weights, so all multiprocessors take part: a cluster of
// blocks computes 16 experts for 16 tokens, every warp a few K blocks of 128. Partial sums meet in
// shared memory and are added up in a fixed order. The weights are read before the kernel ahead has
// finished: nothing writes them.
#include "config.cuh"
#include "moe/arguments.cuh"
#include "ptx/control.cuh"
#include "ptx/mma.cuh"
#include "ptx/peer_memory.cuh"

namespace deepgemm {

constexpr int kWarps = 8;
constexpr int kSplits = LogitsConfig::kSplits;
constexpr int kTile = 16;  // experts, and tokens

struct LogitsStorage {
  float of_warps[kWarps][kTile * kTile];
  u32 sums[kTile * kTile];  // bits, as peers read them
};

// 16 bytes of each of two chunks of 64 of a row's K block. Which byte meets which k is the same for
// both operands, so that a lane can take what lies side by side.
struct Piece {
  uint4 chunks[2];

  DEEPGEMM_DEVICE void load(const u8* row, bool is_there, u32 column, u32 columns) {
#pragma unroll
    for (int c = 0; c < 2; ++c) {
      const u32 at = column + c * 64 + threadIdx.x % 4 * 16;
      chunks[c] = make_uint4(0, 0, 0, 0);
      if (is_there && at < columns) chunks[c] = *reinterpret_cast<const uint4*>(row + at);
    }
  }
};

struct Weights {
  Piece rows[2];
  float scales[2];

  DEEPGEMM_DEVICE void load(const LogitsArguments& arguments, u32 first, u32 block) {
#pragma unroll
    for (int r = 0; r < 2; ++r) {
      const u32 expert = first + r * 8 + threadIdx.x % kWarpThreads / 4;
      const bool is_there = expert < arguments.experts && block * kScaleBlock < arguments.columns;
      rows[r].load(arguments.weights + expert * arguments.weight_stride, is_there,
                   block * kScaleBlock, arguments.columns);
      const u32 row = expert / arguments.rows_per_scale;
      scales[r] = !is_there ? 0.0f
                            : arguments.weight_scales[row * arguments.weight_scale_row_stride +
                                                      block * arguments.weight_scale_column_stride];
    }
  }
};

// Adds a K block's share to the sums: 16 experts by 8 tokens.
DEEPGEMM_DEVICE void multiply_block(const LogitsArguments& arguments, const Weights& weights,
                                    u32 first_token, u32 block, float (&sums)[4]) {
  const u32 lane = threadIdx.x % kWarpThreads;
  const u32 token = first_token + lane / 4;
  Piece piece;
  piece.load(arguments.tokens + token * arguments.token_stride, token < arguments.token_count,
             block * kScaleBlock, arguments.columns);
  float products[4] = {};
#pragma unroll
  for (int c = 0; c < 2; ++c) {
    const uint4 top = weights.rows[0].chunks[c];
    const uint4 bottom = weights.rows[1].chunks[c];
    const uint4 right = piece.chunks[c];
    ptx::multiply_e4m3(products, {top.x, bottom.x, top.y, bottom.y}, {right.x, right.y});
    ptx::multiply_e4m3(products, {top.z, bottom.z, top.w, bottom.w}, {right.z, right.w});
  }
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    const u32 column = first_token + lane % 4 * 2 + i % 2;
    if (column >= arguments.token_count) continue;
    const float scale = arguments.token_scales[column * arguments.token_scale_row_stride +
                                               block * arguments.token_scale_column_stride];
    sums[i] = fmaf(products[i], scale * weights.scales[i / 2], sums[i]);
  }
}

// Sums of the warps, then of the blocks of the cluster; the first block writes.
DEEPGEMM_DEVICE void add_up(const LogitsArguments& arguments, LogitsStorage& storage, u32 expert,
                            u32 token) {
  float sum = 0.0f;
#pragma unroll
  for (int warp = 0; warp < kWarps; ++warp) sum += storage.of_warps[warp][threadIdx.x];
  storage.sums[threadIdx.x] = __float_as_uint(sum);
  ptx::sync_cluster();
  if (ptx::cluster_rank() == 0 && expert < arguments.experts && token < arguments.token_count) {
    sum = 0.0f;
#pragma unroll
    for (u32 rank = 0; rank < kSplits; ++rank) {
      sum += __uint_as_float(ptx::load_peer(storage.sums + threadIdx.x, rank));
    }
    arguments.logits[token * arguments.logits_stride + expert] = sum;
  }
  ptx::sync_cluster();
}

}  // namespace deepgemm

extern "C" __global__ void __launch_bounds__(deepgemm::kWarps * 32)
    moe_logits(const __grid_constant__ deepgemm::LogitsArguments arguments) {
  using namespace deepgemm;
  __shared__ LogitsStorage storage;
  const u32 first_expert = blockIdx.x / kSplits * kTile;
  const u32 first_token = blockIdx.y * kTile;
  const u32 warp = threadIdx.x / kWarpThreads;
  const u32 lane = threadIdx.x % kWarpThreads;
  ptx::allow_next_kernel();
  u32 block = ptx::cluster_rank() * kWarps + warp;
  Weights weights;
  weights.load(arguments, first_expert, block);
  ptx::wait_for_previous_kernel();
  float sums[2][4] = {};
  while (block * kScaleBlock < arguments.columns) {
    multiply_block(arguments, weights, first_token, block, sums[0]);
    multiply_block(arguments, weights, first_token + 8, block, sums[1]);
    block += kSplits * kWarps;
    weights.load(arguments, first_expert, block);
  }
#pragma unroll
  for (int i = 0; i < 8; ++i) {
    const u32 row = lane / 4 + i % 4 / 2 * 8;
    const u32 column = i / 4 * 8 + lane % 4 * 2 + i % 2;
    storage.of_warps[warp][column * kTile + row] = sums[i / 4][i % 4];
  }
  __syncthreads();
  add_up(arguments, storage, first_expert + threadIdx.x % kTile, first_token + threadIdx.x / kTile);
}
