// The shared memory of a block. Its size is part of the config, computed by the host and checked
// here.
#pragma once

#include "pipeline/job.cuh"
#include "pipeline/tile.cuh"

namespace deepgemm {

// A part that a config does not use keeps one line, because C++ has no empty arrays.
constexpr int kLine = 128;  // bytes; the copy engine writes to multiples of it

template <class Config>
struct alignas(1024) SharedStorage {
  using T = Tile<Config>;

  u8 left[Config::kStages][T::kLeftBytes];
  u8 right[Config::kStages][T::kRightBytes];
  u8 out[most(T::kOutBytes, kLine)];
  float left_scales[Config::kStages][round_up(T::kLeftVectors ? T::kLeft : 1, kLine / 4)];
  float right_scales[Config::kStages][round_up(T::kRightVectors ? T::kRight : 1, kLine / 4)];
  u64 full[Config::kStages];
  u64 empty[Config::kStages];
  [[no_unique_address]] JobStorage<T::kGrouped> jobs;

  static_assert(T::kLeftBytes % kSwizzleAtomBytes == 0 && T::kRightBytes % kSwizzleAtomBytes == 0,
                "every stage starts at a whole swizzle atom");
};

}  // namespace deepgemm
