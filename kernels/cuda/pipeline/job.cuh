// Jobs of a grouped product: which tiles there are only the GPU knows. One warp of the producer's
// warp group finds the block's tiles and hands them on through a small ring in shared memory, so
// that neither the loads nor the math ever wait for it but at the start.
#pragma once

#include "pipeline/ring.cuh"
#include "pipeline/tile.cuh"
#include "ptx/mbarrier.cuh"

namespace deepgemm {

struct alignas(16) GroupJob {
  u32 left;  // the block's corner, as in GroupCorner
  u32 right;
  u32 group;
  u32 token_end;  // rows of D from here on are not this tile's
  u32 k_begin;    // K blocks of the segment
  u32 k_end;      // equal to k_begin where nothing is multiplied and zeros are stored
  u32 k_blocks;   // of the whole tile
  u32 k_first;    // k-grouped: the group's first column in the operands,
  u32 k_size;     // the number of its columns,
  u32 scale_row;  // and its first row of scales
  u32 tile;       // number of a tile that is shared along K
  u32 streamed;   // how many of those there are
  u32 flags;

  static constexpr u32 kEnd = 1;      // no job: there are no more
  static constexpr u32 kPadding = 2;  // contiguous: some rows before token_end are padding
};

constexpr int kJobSlots = 4;

// Dense products have none.
template <bool kGrouped>
struct JobStorage {};

template <>
struct JobStorage<true> {
  GroupJob jobs[kJobSlots];
  u64 full[kJobSlots];
  u64 empty[kJobSlots];
};

// The side of a reader: every math warp, and the producer's thread.
class JobReader {
 public:
  DEEPGEMM_DEVICE explicit JobReader(JobStorage<true>& storage) : storage_(storage) {}

  // The next job; it stays in its place until it is released.
  DEEPGEMM_DEVICE const GroupJob& take() {
    ptx::barrier_wait(&storage_.full[ring_.stage], ring_.parity);
    return storage_.jobs[ring_.stage];
  }

  // By one thread, after all threads that it stands for have read the job.
  DEEPGEMM_DEVICE void release() const { ptx::barrier_arrive(&storage_.empty[ring_.stage]); }
  DEEPGEMM_DEVICE void advance() { ring_.advance(); }

 private:
  JobStorage<true>& storage_;
  Ring<kJobSlots> ring_;
};

// The side of the warp that finds the jobs.
class JobWriter {
 public:
  DEEPGEMM_DEVICE explicit JobWriter(JobStorage<true>& storage) : storage_(storage) {}

  // All lanes wait for a free place; the lane with `writes` fills it.
  DEEPGEMM_DEVICE void put(const GroupJob& job, bool writes) {
    ptx::barrier_wait(&storage_.empty[ring_.stage], ring_.parity ^ 1);
    if (writes) {
      storage_.jobs[ring_.stage] = job;
      ptx::barrier_arrive(&storage_.full[ring_.stage]);
    }
    __syncwarp();
    ring_.advance();
  }

 private:
  JobStorage<true>& storage_;
  Ring<kJobSlots> ring_;
};

}  // namespace deepgemm
