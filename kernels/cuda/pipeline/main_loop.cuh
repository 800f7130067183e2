// The math warp groups' loop over the K blocks of a segment.
//
// A step is one chunk of one K block: four wgmma into an accumulator, then promotion of it. With
// one accumulator a step waits for its own products. With two in turn, the products of a step run
// under the promotion of the step before; they are drained after kUnroll K blocks, because ptxas
// serialises all wgmma when one is in flight across the back edge of a loop.
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
  DEEPGEMM_DEVICE MainLoop(SharedStorage<Config>& shared, const MathThread& me)
      : shared_(shared),
        me_(me),
        left_(ptx::uniform(descriptor_low(ptx::shared_address(shared.left[0]) +
                                          me.group * T::kGroupRows * kRowBytes))),
        right_(ptx::uniform(descriptor_low(ptx::shared_address(shared.right[0])))),
        empty_(empty_address(shared, me)) {}

  // `blocks` are the segment's.
  DEEPGEMM_DEVICE void run(const Segment& segment, const TileCorner<Config>& corner,
                           BlockScales<Config>& blocks, Sums<Config>& sums) {
    if constexpr (T::kGrouped && !Config::kSwapped && T::kLayout != Layout::kKGrouped) {
      if (corner.left + me_.group * T::kGroupRows >= corner.work_end) return idle(segment);
    }
    offset_ = corner.right % kScaleBlock;
    if constexpr (T::kLayout == Layout::kKGrouped) slice_ = {corner.k_size, corner.k_shift};
    u32 k_block = ptx::uniform(segment.k_begin);
    const u32 k_end = ptx::uniform(segment.k_end);
    ring_ = {ptx::uniform(ring_.stage), ptx::uniform(ring_.parity)};
    bool ready = false;
    while (k_block < k_end) {
      constexpr bool kWholeRing = Config::kUnroll == Config::kStages;
      if (Config::kUnroll > 1 && k_end - k_block >= Config::kUnroll &&
          (!kWholeRing || ring_.stage == 0)) {
        ready = burst<Config::kUnroll, kWholeRing>(k_block, ready, blocks, sums);
        k_block += Config::kUnroll;
      } else {
        ready = burst<1, false>(k_block, ready, blocks, sums);
        ++k_block;
      }
    }
  }

 private:
  // kBlocks K blocks, with no wgmma in flight before or after. kWholeRing: they are all stages of
  // the ring from the first on, so that every address is known to the compiler. `ready`: the first
  // of them is known to be there; returns that of the one after them.
  template <int kBlocks, bool kWholeRing>
  DEEPGEMM_DEVICE bool burst(u32 k_block, bool ready, BlockScales<Config>& blocks,
                             Sums<Config>& sums) {
    float partial[Config::kAccumulators][T::kChunkRegisters];
    StepScales<Config> scales[Config::kAccumulators];
    u32 stage[Config::kAccumulators];
    constexpr int kSteps = kBlocks * T::kChunks;
    blocks.begin();
#pragma unroll
    for (int step = 0; step < kSteps; ++step) {
      const int block = step / T::kChunks;
      const int now = block % Config::kAccumulators;
      const int chunk = step % T::kChunks;
      if (chunk == 0) {
        stage[now] = kWholeRing ? block : ring_.stage;
        if (!ready) ptx::barrier_wait(&shared_.full[stage[now]], ring_.parity);
        if constexpr (T::kLayout == Layout::kKGrouped) {
          clear_foreign_columns(shared_, stage[now], slice_.columns_of(k_block + block));
        }
        if constexpr (!kWholeRing) ring_.advance();
      }
      multiply(partial[step % Config::kAccumulators], stage[now], chunk);
      if (chunk == 0) {
        blocks.take(block, scales[now].block);
        scales[now].load(shared_, stage[now], me_);
      }
      if (step == 0) blocks.read(k_block + kBlocks);
      if (kWholeRing && step == kSteps - 1) ring_.parity ^= 1;
      // The answer comes while sums are added.
      constexpr int kRunning = Config::kAccumulators - 1;
      ptx::wgmma_wait<kRunning>();
      if (chunk == T::kChunks - 1) {
        const u32 next = kWholeRing ? (block + 1) % kBlocks : ring_.stage;
        ready = ptx::barrier_test(&shared_.full[next], ring_.parity);
      }
      if (step >= kRunning) {
        const int done = step - kRunning;
        const int then = done / T::kChunks % Config::kAccumulators;
        finish(partial[done % Config::kAccumulators], scales[then], stage[then], done % T::kChunks,
               sums);
      }
    }
    if constexpr (Config::kAccumulators == 2) {
      constexpr int kLast = kSteps - 1;
      constexpr int kThen = (kBlocks - 1) % 2;
      ptx::wgmma_wait<0>();
      finish(partial[kLast % 2], scales[kThen], stage[kThen], kLast % T::kChunks, sums);
    }
    return ready;
  }

  // Walks through a segment of which the warp group has no rows: others wait for it.
  DEEPGEMM_DEVICE void idle(const Segment& segment) {
    for (u32 k_block = segment.k_begin; k_block < segment.k_end; ++k_block) {
      ptx::barrier_wait(&shared_.full[ring_.stage], ring_.parity);
      __syncwarp();
      release(ring_.stage, 0);
      ring_.advance();
    }
  }

  // Starts partial = left * right over one K block, and commits it as one group.
  DEEPGEMM_DEVICE void multiply(float (&partial)[T::kChunkRegisters], u32 stage, int chunk) {
    const int row_block = chunk / Config::kColumnSplits;
    const int split = chunk % Config::kColumnSplits;
    const u32 left = left_ + stage * descriptor_step(T::kLeftBytes) +
                     row_block * descriptor_step(64 * kRowBytes);
    const u32 right = right_ + stage * descriptor_step(T::kRightBytes) +
                      split * descriptor_step(T::kChunkColumns * kRowBytes);
    ptx::hold(partial);
    ptx::wgmma_fence();
#pragma unroll
    for (int k = 0; k < kScaleBlock; k += kInstructionK) {
      Wgmma<T::kChunkColumns>::multiply(partial, matrix_descriptor(left + descriptor_step(k)),
                                        matrix_descriptor(right + descriptor_step(k)), k != 0);
    }
    ptx::wgmma_commit();
    ptx::hold(partial);
  }

  // The products of a step are there: promote them, and after the last chunk of a K block give its
  // stage back. Column scales are read from the stage, so it can only go after promotion.
  DEEPGEMM_DEVICE void finish(float (&partial)[T::kChunkRegisters],
                              const StepScales<Config>& scales, u32 stage, int chunk,
                              Sums<Config>& sums) {
    ptx::hold(partial);
    const u32 read = promote<Config>(sums[chunk], partial, scales, offset_, chunk);
    if (chunk == T::kChunks - 1) release(stage, read);
  }

  // One arrival per math warp, at every block of the cluster that writes into this stage. `read` is
  // made of the last chunk's reads of it; those of the chunks before are in sums whose products
  // the last chunk's have replaced. The warp is converged since it waited for its products.
  DEEPGEMM_DEVICE void release(u32 stage, u32 read) {
    ptx::barrier_arrive_after<(T::kCluster > 1)>(read, zero_, empty_ + stage * sizeof(u64),
                                                 me_.lane < T::kCluster);
  }

  // The first empty barrier of the block that this lane signals.
  DEEPGEMM_DEVICE static u32 empty_address(SharedStorage<Config>& shared, const MathThread& me) {
    const u32 own = ptx::shared_address(&shared.empty[0]);
    return T::kCluster == 1 ? own : ptx::peer_address(own, me.lane % T::kCluster);
  }

  SharedStorage<Config>& shared_;
  MathThread me_;
  u32 left_;   // descriptors of the warp group's rows in the first stage, and
  u32 right_;  // of the right operand there
  u32 empty_;
  u32 zero_ = ptx::unknown_zero();
  Ring<Config::kStages> ring_;
  u32 offset_ = 0;
  SliceOfK slice_ = {};  // k-grouped: the group's
};

}  // namespace deepgemm
