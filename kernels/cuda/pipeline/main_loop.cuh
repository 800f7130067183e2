// The math warp groups' loop over the K blocks of a segment.
//
// A step is one chunk of one K block: four wgmma into an accumulator, then promotion of it. With
// one accumulator a step waits for its own products. With two in turn, the products of a step run
// under the promotion of the step before; they are drained after kUnroll K blocks, because ptxas
// serialises all wgmma when one is in flight across the back edge of a loop.
//
// Two warp groups that start their products together also end together, and then promote together
// while the tensor cores idle. With kOrdered they take turns: a group hands the turn on when one
// wgmma of its four is left, so that the other's products follow without a gap.
#pragma once

#include "pipeline/ring.cuh"
#include "pipeline/scales.cuh"
#include "pipeline/slice_of_k.cuh"
#include "ptx/mbarrier.cuh"
#include "ptx/wgmma.cuh"
#include "wgmma/instructions.cuh"

namespace deepgemm {

template <class Config>
using Sums = float[Tile<Config>::kChunks][Tile<Config>::kChunkRegisters];

template <class Config>
class MainLoop {
  using T = Tile<Config>;

 public:
  DEEPGEMM_DEVICE MainLoop(const GemmArguments& arguments, SharedStorage<Config>& shared,
                           const MathThread& me)
      : arguments_(arguments), shared_(shared), me_(me) {
    if (Config::kOrdered && me.group == 1) pass_turn();  // group 0 begins
  }

  // Both groups take the same number of turns: the last one passed must be taken, so that the
  // barrier is left as it was found.
  DEEPGEMM_DEVICE void finish() const {
    if (Config::kOrdered && me_.group == 0) await_turn();
  }

  DEEPGEMM_DEVICE void run(const Segment& segment, const TileCorner<Config>& corner,
                           Sums<Config>& sums) {
    if constexpr (T::kGrouped && !Config::kSwapped && T::kLayout != Layout::kKGrouped) {
      if (corner.left + me_.group * T::kGroupRows >= corner.work_end) return idle(segment);
    }
    BlockScales<Config> blocks(arguments_, corner, me_.group, segment);
    offset_ = corner.right % kScaleBlock;
    if constexpr (T::kLayout == Layout::kKGrouped) slice_ = {corner.k_size, corner.k_shift};
    u32 k_block = segment.k_begin;
    if constexpr (Config::kUnroll > 1) {
      for (; segment.k_end - k_block >= Config::kUnroll; k_block += Config::kUnroll) {
        burst<Config::kUnroll>(k_block, blocks, sums);
      }
    }
    for (; k_block < segment.k_end; ++k_block) burst<1>(k_block, blocks, sums);
  }

 private:
  // kBlocks K blocks, with no wgmma in flight before or after.
  template <int kBlocks>
  DEEPGEMM_DEVICE void burst(u32 k_block, BlockScales<Config>& blocks, Sums<Config>& sums) {
    float partial[Config::kAccumulators][T::kChunkRegisters];
    StepScales<Config> scales[Config::kAccumulators];
    u32 stage[Config::kAccumulators];
    constexpr int kSteps = kBlocks * T::kChunks;
#pragma unroll
    for (int step = 0; step < kSteps; ++step) {
      const int block = step / T::kChunks;
      const int now = block % Config::kAccumulators;
      if (step % T::kChunks == 0) {
        ptx::barrier_wait(&shared_.full[ring_.stage], ring_.parity);
        stage[now] = ring_.stage;
        if constexpr (T::kLayout == Layout::kKGrouped) {
          clear_foreign_columns(shared_, ring_.stage, slice_.columns_of(k_block + block));
        }
        scales[now].load(shared_, ring_.stage, me_);
        blocks.take(k_block + block, scales[now].block);
        ring_.advance();
      }
      multiply(partial[step % Config::kAccumulators], stage[now], step % T::kChunks);
      if constexpr (Config::kAccumulators == 1) {
        ptx::wgmma_wait<0>();
        finish(partial[0], scales[0], stage[0], step % T::kChunks, sums);
      } else if (step > 0) {
        const int before = step - 1;
        const int then = before / T::kChunks % 2;
        ptx::wgmma_wait<1>();
        finish(partial[before % 2], scales[then], stage[then], before % T::kChunks, sums);
      }
    }
    if constexpr (Config::kAccumulators == 2) {
      constexpr int kLast = kSteps - 1;
      constexpr int kThen = (kBlocks - 1) % 2;
      ptx::wgmma_wait<0>();
      finish(partial[kLast % 2], scales[kThen], stage[kThen], kLast % T::kChunks, sums);
    }
  }

  // Walks through a segment of which the warp group has no rows: others wait for it.
  DEEPGEMM_DEVICE void idle(const Segment& segment) {
    for (u32 k_block = segment.k_begin; k_block < segment.k_end; ++k_block) {
      ptx::barrier_wait(&shared_.full[ring_.stage], ring_.parity);
      for (int chunk = 0; Config::kOrdered && chunk < T::kChunks; ++chunk) {
        await_turn();
        pass_turn();
      }
      release(ring_.stage);
      ring_.advance();
    }
  }

  // Starts partial = left * right over one K block, and commits it as one group.
  DEEPGEMM_DEVICE void multiply(float (&partial)[T::kChunkRegisters], u32 stage, int chunk) {
    const int row_block = chunk / Config::kColumnSplits;
    const int split = chunk % Config::kColumnSplits;
    const u32 row = me_.group * T::kGroupRows + row_block * 64;
    const u64 left = matrix_descriptor(ptx::shared_address(shared_.left[stage]) + row * kRowBytes);
    const u64 right = matrix_descriptor(ptx::shared_address(shared_.right[stage]) +
                                        split * T::kChunkColumns * kRowBytes);
    if constexpr (Config::kOrdered) await_turn();
    ptx::hold(partial);
    ptx::wgmma_fence();
#pragma unroll
    for (int k = 0; k < kScaleBlock; k += kInstructionK) {
      if (Config::kOrdered && k == kScaleBlock - kInstructionK) ptx::wgmma_commit();
      Wgmma<T::kChunkColumns>::multiply(partial, left + descriptor_step(k),
                                        right + descriptor_step(k), k != 0);
    }
    ptx::wgmma_commit();
    if constexpr (Config::kOrdered) {
      ptx::wgmma_wait<1>();
      pass_turn();
    }
    ptx::hold(partial);
  }

  // Barriers 1 to 3 belong to the warp groups' own syncs.
  DEEPGEMM_DEVICE void await_turn() const { ptx::sync_threads(4 + me_.group, T::kMathThreads); }
  DEEPGEMM_DEVICE void pass_turn() const { ptx::arrive_threads(5 - me_.group, T::kMathThreads); }

  // The products of a step are there: promote them, and after the last chunk of a K block give its
  // stage back. Column scales are read from the stage, so it can only go after promotion.
  DEEPGEMM_DEVICE void finish(float (&partial)[T::kChunkRegisters],
                              const StepScales<Config>& scales, u32 stage, int chunk,
                              Sums<Config>& sums) {
    ptx::hold(partial);
    const bool last = chunk == T::kChunks - 1;
    if (last && !T::kRightVectors) release(stage);
    promote<Config>(sums[chunk], partial, scales, offset_, chunk);
    if (last && T::kRightVectors) release(stage);
  }

  // One arrival per math warp, at every block of the cluster that writes into this stage.
  DEEPGEMM_DEVICE void release(u32 stage) {
    __syncwarp();
    if constexpr (T::kCluster == 1) {
      if (me_.lane == 0) ptx::barrier_arrive(&shared_.empty[stage]);
    } else {
      if (me_.lane < T::kCluster) ptx::barrier_arrive_peer(&shared_.empty[stage], me_.lane);
    }
  }

  const GemmArguments& arguments_;
  SharedStorage<Config>& shared_;
  MathThread me_;
  Ring<Config::kStages> ring_;
  u32 offset_ = 0;
  SliceOfK slice_ = {};  // k-grouped: the group's
};

}  // namespace deepgemm
