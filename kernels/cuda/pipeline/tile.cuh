// Numbers that follow from a config. A tile of D is kLeft x kRight; each math warp group computes
// kRowBlocks blocks of 64 rows, in chunks of one wgmma shape.
#pragma once

#include "base/choices.cuh"
#include "base/types.cuh"
#include "wgmma/descriptor.cuh"

namespace deepgemm {

template <class Config>
struct Tile {
  static constexpr Layout kLayout = layout_of<Config>();
  static constexpr bool kGrouped = kLayout != Layout::kDense;

  static constexpr int kLeft = Config::kBlockLeft;
  static constexpr int kRight = Config::kBlockRight;
  static constexpr int kRowBlocks = Config::kRowBlocks;
  static constexpr int kGroupRows = 64 * kRowBlocks;
  static constexpr int kMathGroups = kLeft / kGroupRows;
  static constexpr int kMathThreads = kMathGroups * kWarpGroupThreads;
  static constexpr int kThreads = kMathThreads + kWarpGroupThreads;
  static constexpr int kMathWarps = kMathThreads / kWarpThreads;

  static constexpr int kChunkColumns = kRight / Config::kColumnSplits;
  static constexpr int kChunks = kRowBlocks * Config::kColumnSplits;
  static constexpr int kChunkRegisters = kChunkColumns / 2;

  static constexpr int kCluster = Config::kMulticast == Multicast::kNone ? 1 : 2;
  static constexpr bool kSharesLeft = Config::kMulticast == Multicast::kLeft;
  static constexpr bool kSharesRight = Config::kMulticast == Multicast::kRight;

  static constexpr bool kLeftVectors = Config::kLeftScaling == Scaling::kVectors;
  static constexpr bool kRightVectors = Config::kRightScaling == Scaling::kVectors;

  // Column scales that wait in registers while tensor cores multiply, where there are registers for
  // them: reads from shared memory would delay promotion.
  static constexpr int kMostHeld = kMathGroups == 3 || Config::kAccumulators == 2 ? 96 : 144;
  static constexpr bool kHoldsColumns =
      kLeftVectors && kRightVectors && kChunks == 1 && kRight <= kMostHeld;

  // 128-blocks of the right operand that one tile can touch: a tile starts at a multiple of the
  // greatest common divisor of its width and 128.
  static constexpr int kRightGrain = common_divisor(kRight, kScaleBlock);
  static constexpr int kRightBlocks =
      kRightVectors ? 0 : ceil_div(kScaleBlock - kRightGrain + kRight, kScaleBlock);

  static constexpr int kLeftBytes = kLeft * kRowBytes;
  static constexpr int kRightBytes = kRight * kRowBytes;
  static constexpr int kStageBytes =
      kLeftBytes + kRightBytes + (kLeftVectors ? kLeft * 4 : 0) + (kRightVectors ? kRight * 4 : 0);

  // D goes through shared memory in panels of one swizzle span; see epilogue/staged_store.cuh.
  // A group's few tokens seldom fill a swapped tile, and only full tiles can go that way.
  // Slices of K need the other way as well, for which wide tiles have no registers.
  static constexpr bool kStagesFloats =
      !Config::kSwapped && (!kGrouped || (kLayout == Layout::kKGrouped && kRight < 192));
  static constexpr bool kStaged = Config::kOut == Output::kF32
                                      ? kStagesFloats
                                      : !Config::kAccumulate && !(kGrouped && Config::kSwapped);
  static constexpr int kElementBytes = Config::kOut == Output::kF32 ? 4 : 2;
  static constexpr int kPanelColumns =
      Config::kSwapped ? 64 : common_divisor(kRight, 128 / kElementBytes);
  static constexpr int kOutBytes = kStaged ? kLeft * kRight * kElementBytes : 0;

  static_assert(kLeft % kGroupRows == 0 && kMathGroups >= 1 && kMathGroups <= 3,
                "one to three math warp groups of 64 rows per row block");
  static_assert(kRight % Config::kColumnSplits == 0 && kChunkColumns % 8 == 0 &&
                    kChunkColumns <= 256,
                "a chunk has the columns of one wgmma: a multiple of 8, at most 256");
  static_assert(kRight % 16 == 0 || Config::kSwapped,
                "without swapping the tile is a multiple of 16 columns wide");
  static_assert(kLeftVectors || kRightVectors, "at least one operand has 1x128 scales");
  static_assert(Config::kSwapped == !kLeftVectors,
                "128x128 scales of the left operand mean swapped operands");
  static_assert(!Config::kSwapped ||
                    (kLayout != Layout::kContiguous && kLayout != Layout::kKGrouped),
                "swapped operands are for the layouts of few tokens per group");
  static_assert((kLayout == Layout::kKGrouped) <= (kLeftVectors && kRightVectors),
                "slices of K have 1x128 scales on both sides");
  static_assert(!kSharesRight || kRight % 16 == 0, "each block loads whole groups of 8 rows");
  static_assert(Config::kAccumulators == 1 || Config::kAccumulators == 2,
                "one accumulator, or two in turn");
};

}  // namespace deepgemm
