// Where the rows of every (token, expert) pair go: a stable counting sort of the slots by expert,
// in one block. config.cuh is generated (PlanConfig). The rule is that of plan_permutation() in
// kernels/cpu/include/deepgemm/cpu/moe.hpp.
//
// Every warp owns a run of slots and counts it on its own, so that a slot's place is the number of
// slots of its expert in earlier warps plus those before it in its own: no order of events matters.
#include "config.cuh"
#include "moe/arguments.cuh"
#include "ptx/control.cuh"

namespace deepgemm {

constexpr int kWarps = PlanConfig::kWarps;
constexpr int kThreads = kWarps * kWarpThreads;
constexpr int kMostExperts = PlanConfig::kExperts;
constexpr u32 kWholeWarp = 0xffffffffu;
constexpr int kAhead = 4;  // loads of slots in flight

struct PlanStorage {
  u32 places[kWarps][kMostExperts];  // slots of a warp; then of all warps before it
  u32 starts[kMostExperts];          // first row
  u32 counts[kMostExperts];
  u32 warp_sums[kWarps];
  u32 largest_count;
  u32 first_bad_slot;
};

static_assert(sizeof(PlanStorage) == PlanConfig::kSharedBytes, "the host passes this size");

// Calls use(slot, expert, peers) for the warp's slots, 32 at a time: `peers` are the lanes with the
// same expert; an expert of `experts` is none.
template <class Use>
DEEPGEMM_DEVICE void for_slots_of_warp(const PlanArguments& arguments, const Use& use) {
  const u32 lane = threadIdx.x % kWarpThreads;
  constexpr u32 kStep = kAhead * kWarpThreads;
  const u32 run = round_up(ceil_div<u32>(arguments.slots, kWarps), kStep);
  const u32 first = threadIdx.x / kWarpThreads * run;
  const u32 end = least(first + run, arguments.slots);
  for (u32 at = first; at < end; at += kStep) {
    Row experts[kAhead];
#pragma unroll
    for (int i = 0; i < kAhead; ++i) {
      const u32 slot = at + i * kWarpThreads + lane;
      experts[i] = slot < end ? __ldg(arguments.indices + slot) : -1;
    }
#pragma unroll
    for (int i = 0; i < kAhead; ++i) {
      const bool is_expert = static_cast<u32>(experts[i]) < arguments.experts;
      const u32 key = is_expert ? static_cast<u32>(experts[i]) : arguments.experts;
      use(at + i * kWarpThreads + lane, experts[i], key, __match_any_sync(kWholeWarp, key));
    }
  }
}

DEEPGEMM_DEVICE void count_slots(const PlanArguments& arguments, PlanStorage& storage) {
  const u32 lane = threadIdx.x % kWarpThreads;
  u32* counts = storage.places[threadIdx.x / kWarpThreads];
  for_slots_of_warp(arguments, [&](u32 slot, Row given, u32 expert, u32 peers) {
    if (expert == arguments.experts) {
      if (given != -1) atomicMin(&storage.first_bad_slot, slot);
    } else if (lane == static_cast<u32>(__ffs(peers)) - 1) {
      counts[expert] += __popc(peers);
    }
    __syncwarp();
  });
}

// Sum of `value` over the threads before this one; `total` of all. Needs a barrier before the next.
DEEPGEMM_DEVICE u32 sum_before(u32 value, PlanStorage& storage, u32& total) {
  const u32 lane = threadIdx.x % kWarpThreads;
  const u32 warp = threadIdx.x / kWarpThreads;
  u32 sum = value;
#pragma unroll
  for (int step = 1; step < kWarpThreads; step *= 2) {
    const u32 before = __shfl_up_sync(kWholeWarp, sum, step);
    if (lane >= step) sum += before;
  }
  if (lane == kWarpThreads - 1) storage.warp_sums[warp] = sum;
  __syncthreads();
  const u32 of_warp = lane < kWarps ? storage.warp_sums[lane] : 0;
  total = __reduce_add_sync(kWholeWarp, of_warp);
  return sum - value + __reduce_add_sync(kWholeWarp, lane < warp ? of_warp : 0);
}

DEEPGEMM_DEVICE u32 padded(const PlanArguments& arguments, u32 count) {
  return arguments.masked != 0 ? arguments.max_rows : round_up(count, arguments.alignment);
}

// Turns counts of warps into places before them, and gives every expert its rows.
DEEPGEMM_DEVICE void lay_out_experts(const PlanArguments& arguments, PlanStorage& storage) {
  u32 next_row = 0;
  for (u32 first = 0; first < arguments.experts; first += kThreads) {
    const u32 expert = first + threadIdx.x;
    const bool is_expert = expert < arguments.experts;
    u32 count = 0;
    for (u32 warp = 0; is_expert && warp < kWarps; ++warp) {
      const u32 own = storage.places[warp][expert];
      storage.places[warp][expert] = count;
      count += own;
    }
    u32 total;
    const u32 start =
        next_row + sum_before(is_expert ? padded(arguments, count) : 0, storage, total);
    next_row += total;
    if (is_expert) {
      const u32 left = arguments.row_capacity - least(start, arguments.row_capacity);
      const u32 room = arguments.masked != 0 ? arguments.max_rows : left;
      storage.starts[expert] = start;
      storage.counts[expert] = count;
      arguments.counts[expert] = static_cast<Row>(least(count, room));
      if (arguments.offsets != nullptr) arguments.offsets[expert] = static_cast<Row>(start);
      atomicMax(&storage.largest_count, count);
    }
    __syncthreads();
  }
  if (threadIdx.x != 0) return;
  if (arguments.offsets != nullptr) {
    arguments.offsets[arguments.experts] = static_cast<Row>(next_row);
  }
  if (arguments.status == nullptr) return;
  const u32 needed = arguments.masked != 0 ? storage.largest_count : next_row;
  arguments.status[0] = static_cast<Row>(storage.first_bad_slot + 1);  // none is ~0u
  arguments.status[1] = static_cast<Row>(needed);
}

// Gives every slot its row, or -1 where it has no expert or its expert no room.
DEEPGEMM_DEVICE void place_slots(const PlanArguments& arguments, PlanStorage& storage) {
  const u32 lane = threadIdx.x % kWarpThreads;
  const u32 before_lane = (1u << lane) - 1;
  u32* places = storage.places[threadIdx.x / kWarpThreads];
  for_slots_of_warp(arguments, [&](u32 slot, Row, u32 expert, u32 peers) {
    Row row = -1;
    if (expert != arguments.experts) {
      const u32 place = places[expert] + __popc(peers & before_lane);
      const u32 at = storage.starts[expert] + place;
      const bool fits =
          arguments.masked != 0 ? place < arguments.max_rows : at < arguments.row_capacity;
      if (fits) row = static_cast<Row>(at);
    }
    __syncwarp();
    if (expert != arguments.experts && lane == static_cast<u32>(__ffs(peers)) - 1) {
      places[expert] += __popc(peers);
    }
    __syncwarp();
    if (slot < arguments.slots) arguments.destination[slot] = row;
  });
}

// A group per row, -1 on padding and after the last group. A warp per expert.
DEEPGEMM_DEVICE void mark_rows(const PlanArguments& arguments, PlanStorage& storage) {
  const u32 lane = threadIdx.x % kWarpThreads;
  const u32 capacity = arguments.row_capacity;
  for (u32 e = threadIdx.x / kWarpThreads; e < arguments.experts; e += kWarps) {
    const u32 start = storage.starts[e];
    const u32 used = storage.counts[e];
    const u32 end = least(start + padded(arguments, used), capacity);
    for (u32 row = start + lane; row < end; row += kWarpThreads) {
      arguments.group_index[row] = row < start + used ? static_cast<Row>(e) : -1;
    }
  }
  const u32 last = arguments.experts - 1;
  const u32 rows = storage.starts[last] + padded(arguments, storage.counts[last]);
  for (u32 row = rows + threadIdx.x; row < capacity; row += kThreads) {
    arguments.group_index[row] = -1;
  }
}

}  // namespace deepgemm

extern "C" __global__ void __launch_bounds__(deepgemm::kThreads)
    moe_plan(const __grid_constant__ deepgemm::PlanArguments arguments) {
  using namespace deepgemm;
  extern __shared__ char memory[];
  PlanStorage& storage = *reinterpret_cast<PlanStorage*>(memory);
  ptx::allow_next_kernel();
  u32* places = storage.places[threadIdx.x / kWarpThreads];
  for (u32 e = threadIdx.x % kWarpThreads; e < arguments.experts; e += kWarpThreads) places[e] = 0;
  if (threadIdx.x == 0) {
    storage.largest_count = 0;
    storage.first_bad_slot = ~0u;
  }
  __syncthreads();
  ptx::wait_for_previous_kernel();
  count_slots(arguments, storage);
  __syncthreads();
  lay_out_experts(arguments, storage);
  place_slots(arguments, storage);
  if (arguments.group_index != nullptr) mark_rows(arguments, storage);
}
