// Routing and the plan of the masked layout for few tokens, in one block: what moe_route.cu and
// moe_plan.cu do, without the time between two kernels. config.cuh is generated (RouteConfig).
#include "moe/route_token.cuh"
#include "ptx/control.cuh"

namespace deepgemm {

constexpr int kThreads = RouteConfig::kWarps * kWarpThreads;
constexpr int kMostSlots = RouteConfig::kMostSlots;

struct SelectStorage {
  TokenStorage tokens[RouteConfig::kWarps];
  Row experts[kMostSlots];
};

// A slot's place is the number of slots before it with the same expert.
DEEPGEMM_DEVICE void place_slots(const SelectArguments& arguments, const SelectStorage& storage,
                                 u32 slots) {
  for (u32 slot = threadIdx.x; slot < slots; slot += kThreads) {
    const Row expert = storage.experts[slot];
    u32 place = 0;
#pragma unroll 4
    for (u32 before = 0; before < slot; ++before) place += storage.experts[before] == expert;
    const bool fits = place < arguments.max_rows;
    arguments.destination[slot] = fits ? static_cast<Row>(expert * arguments.max_rows + place) : -1;
  }
}

DEEPGEMM_DEVICE void count_slots(const SelectArguments& arguments, const SelectStorage& storage,
                                 u32 slots) {
  for (u32 expert = threadIdx.x; expert < arguments.route.experts; expert += kThreads) {
    u32 count = 0;
#pragma unroll 4
    for (u32 slot = 0; slot < slots; ++slot) {
      count += storage.experts[slot] == static_cast<Row>(expert);
    }
    arguments.counts[expert] = static_cast<Row>(least(count, arguments.max_rows));
  }
}

}  // namespace deepgemm

extern "C" __global__ void __launch_bounds__(deepgemm::kThreads)
    moe_select(const __grid_constant__ deepgemm::SelectArguments arguments) {
  using namespace deepgemm;
  __shared__ SelectStorage storage;
  const u32 warp = threadIdx.x / kWarpThreads;
  const u32 lane = threadIdx.x % kWarpThreads;
  const u32 top_k = arguments.route.top_k;
  ptx::allow_next_kernel();
  ptx::wait_for_previous_kernel();
  for (u32 token = warp; token < arguments.route.tokens; token += RouteConfig::kWarps) {
    route_token(arguments.route, token, storage.tokens[warp]);
    for (u32 j = lane; j < top_k; j += kWarpThreads) {
      storage.experts[token * top_k + j] = static_cast<Row>(storage.tokens[warp].chosen[j]);
    }
    __syncwarp();
  }
  __syncthreads();
  const u32 slots = arguments.route.tokens * top_k;
  place_slots(arguments, storage, slots);
  count_slots(arguments, storage, slots);
}
