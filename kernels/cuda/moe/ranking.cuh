// Selection of the largest of a warp's keys, in the order of the CPU's route().
#pragma once

#include "base/types.cuh"

namespace deepgemm {

constexpr u32 kWholeWarp = 0xffffffffu;
constexpr int kTakenKey = -0x7fffffff - 1;  // also that of experts of dropped groups
constexpr int kNanKey = kTakenKey + 1;

// An integer that orders as the float does; both zeros are one, NaN is below -infinity.
DEEPGEMM_DEVICE int order_key(float value) {
  if (value != value) return kNanKey;
  const int bits = __float_as_int(__fadd_rn(value, 0.0f));
  return bits >= 0 ? bits : bits ^ 0x7fffffff;
}

// Keys of items 0 to 32 * kPerLane - 1; lane l holds items l, l + 32 and so on.
template <int kPerLane>
struct Ranking {
  int keys[kPerLane];

  // The item with the largest key, of equal ones the first; it is taken away. Whole warp.
  DEEPGEMM_DEVICE u32 take_largest() {
    const u32 lane = threadIdx.x % kWarpThreads;
    int best = keys[0];
    u32 place = 0;
#pragma unroll
    for (int i = 1; i < kPerLane; ++i) {
      if (keys[i] > best) {
        best = keys[i];
        place = i;
      }
    }
    const int largest = __reduce_max_sync(kWholeWarp, best);
    const u32 mine = best == largest ? place * kWarpThreads + lane : ~0u;
    const u32 item = __reduce_min_sync(kWholeWarp, mine);
#pragma unroll
    for (int i = 0; i < kPerLane; ++i) {
      if (item == i * kWarpThreads + lane) keys[i] = kTakenKey;
    }
    return item;
  }
};

// The two largest of some floats by their keys, and the sum that a group of experts scores.
struct BestTwo {
  int keys[2] = {kTakenKey, kTakenKey};
  float values[2] = {0.0f, 0.0f};

  DEEPGEMM_DEVICE void add(float value) {
    const int key = order_key(value);
    if (key > keys[0]) {
      keys[1] = keys[0];
      values[1] = values[0];
      keys[0] = key;
      values[0] = value;
    } else if (key > keys[1]) {
      keys[1] = key;
      values[1] = value;
    }
  }

  // Those of the lane whose number differs in the bit `step`. Whole warp.
  DEEPGEMM_DEVICE void add_of_lane(u32 step) {
    const float first = __shfl_xor_sync(kWholeWarp, values[0], step);
    const float second = __shfl_xor_sync(kWholeWarp, values[1], step);
    const int first_key = __shfl_xor_sync(kWholeWarp, keys[0], step);
    const int second_key = __shfl_xor_sync(kWholeWarp, keys[1], step);
    if (first_key > kTakenKey) add(first);
    if (second_key > kTakenKey) add(second);
  }
};

}  // namespace deepgemm
