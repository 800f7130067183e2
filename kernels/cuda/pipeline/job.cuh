// Jobs of a grouped product: which tiles there are only the GPU knows. One warp of the producer's
// warp group finds the block's tiles and hands them on through a small ring in shared memory, so
// that neither the loads nor the math ever wait for it but at the start.
#pragma once

#include "pipeline/tile.cuh"
#include "ptx/mbarrier.cuh"

namespace deepgemm {

struct alignas(16) GroupJob {
  u32 left;  // the block's corner, as in GroupCorner
  u32 right;
  u32 group;
  u32 token_begin;  // rows of D before this one and
  u32 token_end;    // from this one on are not this tile's
  u32 work_end;     // rows from here on have nothing to multiply
  u32 k_begin;      // K blocks of the segment
  u32 k_end;        // equal to k_begin where nothing is multiplied and zeros are stored
  u32 k_blocks;     // of the whole tile
  // k-grouped: the group's first column in the operands, the number of its columns, its first row
  // of scales
  u32 k_first;
  u32 k_size;
  u32 scale_row;
  u32 tile;      // number of a tile that is shared along K
  u32 streamed;  // how many of those there are
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

// The walk of the ring; one register, because the math warps have none to spare.
class JobPlace {
 public:
  DEEPGEMM_DEVICE u32 slot() const { return number_ % kJobSlots; }
  DEEPGEMM_DEVICE u32 parity() const { return number_ / kJobSlots % 2; }
  DEEPGEMM_DEVICE void advance() { ++number_; }

 private:
  u32 number_ = 0;
};

// The side of a reader: every math warp, and the producer's thread.
class JobReader {
 public:
  DEEPGEMM_DEVICE explicit JobReader(JobStorage<true>& storage) : storage_(storage) {}

  // The next job; it stays in its place until it is released.
  DEEPGEMM_DEVICE const GroupJob& take() {
    ptx::barrier_wait(&storage_.full[place_.slot()], place_.parity());
    return storage_.jobs[place_.slot()];
  }

  // By one thread, after all threads that it stands for have read the job.
  DEEPGEMM_DEVICE void release() const { ptx::barrier_arrive(&storage_.empty[place_.slot()]); }
  DEEPGEMM_DEVICE void advance() { place_.advance(); }

 private:
  JobStorage<true>& storage_;
  JobPlace place_;
};

// The side of the warp that finds the jobs.
class JobWriter {
 public:
  DEEPGEMM_DEVICE explicit JobWriter(JobStorage<true>& storage) : storage_(storage) {}

  // All lanes wait for a free place; the lane with `writes` fills it.
  DEEPGEMM_DEVICE void put(const GroupJob& job, bool writes) {
    ptx::barrier_wait(&storage_.empty[place_.slot()], place_.parity() ^ 1);
    if (writes) {
      storage_.jobs[place_.slot()] = job;
      ptx::barrier_arrive(&storage_.full[place_.slot()]);
    }
    __syncwarp();
    place_.advance();
  }

 private:
  JobStorage<true>& storage_;
  JobPlace place_;
};

}  // namespace deepgemm
