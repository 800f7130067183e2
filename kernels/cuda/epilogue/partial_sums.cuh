// The workspace of streamed tiles: a worker writes the partial sum that it owes, the owner of the
// tile adds those of all others in ascending order of worker, so that the bits do not depend on
// who is first. Both sides hold the same fragment of the tile in the same thread: no layout at all.
#pragma once

#include "pipeline/main_loop.cuh"
#include "ptx/control.cuh"

namespace deepgemm {

template <class Config>
class PartialSums {
  using T = Tile<Config>;
  static constexpr int kVectors = T::kChunks * T::kChunkRegisters / 4;  // float4 per thread

 public:
  DEEPGEMM_DEVICE PartialSums(const GemmArguments& arguments, const MathThread& me, u32 rank)
      : arguments_(arguments), me_(me), rank_(rank) {}

  DEEPGEMM_DEVICE void write(u32 worker, const Sums<Config>& sums) const {
    float4* to = slot(worker);
#pragma unroll
    for (int i = 0; i < kVectors; ++i) {
      to[i * kWarpGroupThreads] = {at(sums, i, 0), at(sums, i, 1), at(sums, i, 2), at(sums, i, 3)};
    }
    me_.sync_group();
    if (me_.thread == 0) ptx::store_release(flag(worker), 1);
  }

  // Workers [first, last) share the tile; one without units in between owes nothing. Flags are
  // awaited side by side, so that the tile waits once, however many share it.
  DEEPGEMM_DEVICE void add(const WorkShape& shape, u32 first, u32 last, Sums<Config>& sums) const {
    for (u32 worker = first + me_.thread; worker < last; worker += kWarpGroupThreads) {
      if (!owes(shape, worker)) continue;
      while (ptx::load_acquire(flag(worker)) == 0) __nanosleep(20);
      // Zero again before the next launch; in this one nobody else waits for it.
      *flag(worker) = 0;
    }
    me_.sync_group();
#pragma unroll(kVectors <= 8 ? 4 : 1)
    for (u32 worker = first; worker < last; ++worker) {
      if (owes(shape, worker)) add_one(worker, sums);
    }
  }

 private:
  DEEPGEMM_DEVICE static bool owes(const WorkShape& shape, u32 worker) {
    return shape.first_unit(worker) != shape.first_unit(worker + 1);
  }

  DEEPGEMM_DEVICE void add_one(u32 worker, Sums<Config>& sums) const {
    const float4* from = slot(worker);
#pragma unroll
    for (int i = 0; i < kVectors; ++i) {
      const float4 part = ptx::load_l2(from + i * kWarpGroupThreads);
      at(sums, i, 0) += part.x;
      at(sums, i, 1) += part.y;
      at(sums, i, 2) += part.z;
      at(sums, i, 3) += part.w;
    }
  }

  // Element `e` of vector `i` of a thread's sums: the vectors begin at every fourth register but
  // one, so that a sum lies in the other bank of registers than the product that is added to it. In
  // the same bank, with the scale, an addition takes two cycles.
  template <class AnySums>
  DEEPGEMM_DEVICE static auto& at(AnySums& sums, int i, int e) {
    return sums[i * 4 / T::kChunkRegisters][(i * 4 + 1 + e) % T::kChunkRegisters];
  }

  DEEPGEMM_DEVICE u64 slot_number(u32 worker) const {
    return (static_cast<u64>(worker) * T::kCluster + rank_) * T::kMathGroups + me_.group;
  }

  DEEPGEMM_DEVICE float4* slot(u32 worker) const {
    return reinterpret_cast<float4*>(arguments_.partials) +
           slot_number(worker) * kVectors * kWarpGroupThreads + me_.thread;
  }

  DEEPGEMM_DEVICE u32* flag(u32 worker) const {
    return arguments_.partial_flags + slot_number(worker);
  }

  const GemmArguments& arguments_;
  const MathThread& me_;
  u32 rank_;
};

}  // namespace deepgemm
