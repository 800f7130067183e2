// Where the rows of every (token, expert) pair go: a stable counting sort of the slots by expert,
// in one block or, for many slots, one cluster of blocks. config.cuh is generated (PlanConfig). The
// rule is that of plan_permutation() in kernels/cpu/include/deepgemm/cpu/moe.hpp.
//
// Every warp owns a run of slots and counts it on its own, so that a slot's place is the number of
// slots of its expert in earlier warps plus those before it in its own: no order of events matters.
#include "config.cuh"
#include "moe/arguments.cuh"
#include "ptx/control.cuh"
#include "ptx/peer_memory.cuh"

namespace deepgemm {

constexpr int kWarps = PlanConfig::kWarps;
constexpr int kThreads = kWarps * kWarpThreads;
constexpr int kBlocks = PlanConfig::kClusterBlocks;
constexpr int kMostExperts = PlanConfig::kExperts;
constexpr u32 kWholeWarp = 0xffffffffu;
constexpr int kAhead = 4;  // loads of slots in flight
constexpr u32 kStep = kAhead * kWarpThreads;

struct PlanStorage {
  u32 places[kWarps][kMostExperts];  // slots of a warp; then of all earlier warps of the block
  u32 totals[kMostExperts];          // slots of the block
  u32 before[kMostExperts];          // slots of earlier blocks
  u32 starts[kMostExperts];          // first row
  u32 counts[kMostExperts];          // slots of all blocks
  u32 warp_sums[kWarps];
  u32 largest_count;
  u32 first_bad_slot;
};

static_assert(sizeof(PlanStorage) == PlanConfig::kSharedBytes, "the host passes this size");

DEEPGEMM_DEVICE u32 block_rank() {
  if constexpr (kBlocks == 1) return 0;
  return ptx::cluster_rank();
}

DEEPGEMM_DEVICE void sync_blocks() {
  if constexpr (kBlocks == 1) {
    __syncthreads();
  } else {
    ptx::sync_cluster();
  }
}

DEEPGEMM_DEVICE u32 of_block(const u32& own, u32 rank) {
  if constexpr (kBlocks == 1) return own;
  return ptx::load_peer(&own, rank);
}

// Calls use(slot, given, expert) for the warp's slots, 32 at a time; an expert of `experts` is
// none.
template <class Use>
DEEPGEMM_DEVICE void for_slots_of_warp(const PlanArguments& arguments, const Use& use) {
  const u32 run = round_up(ceil_div<u32>(arguments.slots, kWarps * kBlocks), kStep);
  const u32 first = (block_rank() * kWarps + threadIdx.x / kWarpThreads) * run;
  const u32 end = least(first + run, arguments.slots);
  for (u32 at = first + threadIdx.x % kWarpThreads; at - threadIdx.x % kWarpThreads < end;
       at += kStep) {
    Row given[kAhead];
#pragma unroll
    for (int i = 0; i < kAhead; ++i) {
      const u32 slot = at + i * kWarpThreads;
      given[i] = slot < end ? arguments.indices[slot] : -1;
    }
#pragma unroll
    for (int i = 0; i < kAhead; ++i) {
      use(at + i * kWarpThreads, given[i], least(static_cast<u32>(given[i]), arguments.experts));
    }
  }
}

DEEPGEMM_DEVICE void count_slots(const PlanArguments& arguments, PlanStorage& storage) {
  u32* counts = storage.places[threadIdx.x / kWarpThreads];
  for_slots_of_warp(arguments, [&](u32 slot, Row given, u32 expert) {
    if (expert < arguments.experts) {
      atomicAdd(counts + expert, 1);  // whose order does not matter
    } else if (given != -1) {
      atomicMin(&storage.first_bad_slot, slot);
    }
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

// Turns counts of warps into places before them.
DEEPGEMM_DEVICE void add_up_warps(const PlanArguments& arguments, PlanStorage& storage) {
  for (u32 expert = threadIdx.x; expert < arguments.experts; expert += kThreads) {
    u32 count = 0;
#pragma unroll 8
    for (u32 warp = 0; warp < kWarps; ++warp) {
      const u32 own = storage.places[warp][expert];
      storage.places[warp][expert] = count;
      count += own;
    }
    storage.totals[expert] = count;
  }
}

// The slots of an expert, and which of them lie in earlier blocks.
DEEPGEMM_DEVICE u32 add_up_blocks(PlanStorage& storage, u32 expert) {
  u32 count = 0;
#pragma unroll
  for (u32 rank = 0; rank < kBlocks; ++rank) {
    if (rank == block_rank()) storage.before[expert] = count;
    count += of_block(storage.totals[expert], rank);
  }
  storage.counts[expert] = count;
  return count;
}

DEEPGEMM_DEVICE void write_expert(const PlanArguments& arguments, u32 expert, u32 start,
                                  u32 count) {
  const u32 left = arguments.row_capacity - least(start, arguments.row_capacity);
  const u32 room = arguments.masked != 0 ? arguments.max_rows : left;
  arguments.counts[expert] = static_cast<Row>(least(count, room));
  if (arguments.offsets != nullptr) arguments.offsets[expert] = static_cast<Row>(start);
}

DEEPGEMM_DEVICE void write_status(const PlanArguments& arguments, const PlanStorage& storage,
                                  u32 rows) {
  if (arguments.offsets != nullptr) {
    arguments.offsets[arguments.experts] = static_cast<Row>(rows);
  }
  if (arguments.status == nullptr) return;
  u32 first_bad_slot = ~0u;
  for (u32 rank = 0; rank < kBlocks; ++rank) {
    first_bad_slot = least(first_bad_slot, of_block(storage.first_bad_slot, rank));
  }
  const u32 needed = arguments.masked != 0 ? storage.largest_count : rows;
  arguments.status[0] = static_cast<Row>(first_bad_slot + 1);  // none is ~0u
  arguments.status[1] = static_cast<Row>(needed);
}

// Gives every expert its rows. All blocks do the same; the first one writes the result.
DEEPGEMM_DEVICE void lay_out_experts(const PlanArguments& arguments, PlanStorage& storage) {
  const bool writes = block_rank() == 0;
  u32 next_row = 0;
  for (u32 first = 0; first < arguments.experts; first += kThreads) {
    const u32 expert = first + threadIdx.x;
    const bool is_expert = expert < arguments.experts;
    const u32 count = is_expert ? add_up_blocks(storage, expert) : 0;
    u32 total;
    const u32 start =
        next_row + sum_before(is_expert ? padded(arguments, count) : 0, storage, total);
    next_row += total;
    if (is_expert) {
      storage.starts[expert] = start;
      atomicMax(&storage.largest_count, count);
      if (writes) write_expert(arguments, expert, start, count);
    }
    __syncthreads();
  }
  if (writes && threadIdx.x == 0) write_status(arguments, storage, next_row);
}

// Gives every slot its row, or -1 where it has no expert or its expert no room.
DEEPGEMM_DEVICE void place_slots(const PlanArguments& arguments, PlanStorage& storage) {
  const u32 lane = threadIdx.x % kWarpThreads;
  const u32 before_lane = (1u << lane) - 1;
  u32* places = storage.places[threadIdx.x / kWarpThreads];
  for_slots_of_warp(arguments, [&](u32 slot, Row, u32 expert) {
    const u32 peers = __match_any_sync(kWholeWarp, expert);
    const bool is_expert = expert < arguments.experts;
    Row row = -1;
    if (is_expert) {
      const u32 place = storage.before[expert] + places[expert] + __popc(peers & before_lane);
      const u32 at = storage.starts[expert] + place;
      const bool fits =
          arguments.masked != 0 ? place < arguments.max_rows : at < arguments.row_capacity;
      if (fits) row = static_cast<Row>(at);
    }
    __syncwarp();
    if (is_expert && lane == static_cast<u32>(__ffs(peers)) - 1) places[expert] += __popc(peers);
    __syncwarp();
    if (slot < arguments.slots) arguments.destination[slot] = row;
  });
}

// A group per row, -1 on padding and after the last group. A warp per expert.
DEEPGEMM_DEVICE void mark_rows(const PlanArguments& arguments, PlanStorage& storage) {
  const u32 lane = threadIdx.x % kWarpThreads;
  const u32 capacity = arguments.row_capacity;
  const u32 first = block_rank() * kWarps + threadIdx.x / kWarpThreads;
  for (u32 e = first; e < arguments.experts; e += kWarps * kBlocks) {
    const u32 start = storage.starts[e];
    const u32 used = storage.counts[e];
    const u32 end = least(start + padded(arguments, used), capacity);
    for (u32 row = start + lane; row < end; row += kWarpThreads) {
      arguments.group_index[row] = row < start + used ? static_cast<Row>(e) : -1;
    }
  }
  const u32 last = arguments.experts - 1;
  const u32 rows = storage.starts[last] + padded(arguments, storage.counts[last]);
  for (u32 row = rows + first * kWarpThreads + lane; row < capacity; row += kThreads * kBlocks) {
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
  add_up_warps(arguments, storage);
  sync_blocks();
  lay_out_experts(arguments, storage);
  // Blocks have read one another's totals.
  if constexpr (kBlocks > 1) sync_blocks();
  place_slots(arguments, storage);
  if (arguments.group_index != nullptr) mark_rows(arguments, storage);
}
