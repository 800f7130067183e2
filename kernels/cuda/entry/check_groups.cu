// Checks the group data of a grouped product: one block, which reports the first bad place unless
// an earlier one is there. config.cuh is generated (CheckConfig): kLayout.
#include "base/choices.cuh"
#include "config.cuh"
#include "ptx/control.cuh"
#include "ptx/memory.cuh"

namespace deepgemm {

struct CheckArguments {
  const int* data;
  int* report;     // 1 + the first bad place, or 0; the value there; 1 if it lies in another's rows
  u32 count;       // of data
  u32 limit;       // groups (contiguous), rows (packed), rows of a group (masked) or columns of K
  u32 scale_rows;  // k-grouped
};

constexpr u32 kNowhere = 0xffffffffu;
constexpr u32 kCheckThreads = 1024;
constexpr u32 kAligned = 128;  // rows of the contiguous layout that belong to one group

// The first group that is not -1 among the rows of `row`'s aligned block before it, or -1.
DEEPGEMM_DEVICE int owner_before(const int* index, u32 row) {
  for (u32 at = row / kAligned * kAligned; at < row; ++at) {
    const int group = ptx::load(index + at);
    if (group != -1) return group;
  }
  return -1;
}

DEEPGEMM_DEVICE bool is_out_of_range(const CheckArguments& arguments, u32 at) {
  const int value = ptx::load(arguments.data + at);
  const i64 limit = arguments.limit;
  if constexpr (CheckConfig::kLayout == Layout::kContiguous) return value < -1 || value >= limit;
  if constexpr (CheckConfig::kLayout == Layout::kPacked) {
    const int before = at == 0 ? 0 : ptx::load(arguments.data + at - 1);
    return value < before || value < 0 || value > limit;
  }
  return value < 0 || value > limit;
}

// Slices of K: the sums of columns and of scale rows up to each, 1024 groups at a time. A sum that
// is too large stays so: sizes are at most 2^31.
DEEPGEMM_DEVICE u32 first_slice_beyond(const CheckArguments& arguments) {
  __shared__ i64 sums[2][kCheckThreads];
  i64 before[2] = {0, 0};
  u32 first = kNowhere;
  for (u32 base = 0; base < arguments.count; base += kCheckThreads) {
    const u32 at = base + threadIdx.x;
    const int size = at < arguments.count ? ptx::load(arguments.data + at) : 0;
    i64 own[2] = {size, (static_cast<i64>(size) + kScaleBlock - 1) / kScaleBlock};
    for (u32 step = 1; step < kCheckThreads; step *= 2) {
      for (int i = 0; i < 2; ++i) sums[i][threadIdx.x] = own[i];
      __syncthreads();
      if (threadIdx.x >= step) {
        for (int i = 0; i < 2; ++i) own[i] += sums[i][threadIdx.x - step];
      }
      __syncthreads();
    }
    const bool fits =
        before[0] + own[0] <= arguments.limit && before[1] + own[1] <= arguments.scale_rows;
    if (at < arguments.count && !fits) first = least(first, at);
    for (int i = 0; i < 2; ++i) sums[i][threadIdx.x] = own[i];
    __syncthreads();
    for (int i = 0; i < 2; ++i) before[i] += sums[i][kCheckThreads - 1];
    __syncthreads();
  }
  return first;
}

DEEPGEMM_DEVICE void check_groups(const CheckArguments& arguments) {
  __shared__ u32 first_bad;
  __shared__ u32 first_shared;
  if (threadIdx.x == 0) first_bad = first_shared = kNowhere;
  __syncthreads();
  for (u32 at = threadIdx.x; at < arguments.count; at += kCheckThreads) {
    if (is_out_of_range(arguments, at)) {
      atomicMin(&first_bad, at);
    } else if constexpr (CheckConfig::kLayout == Layout::kContiguous) {
      const int group = ptx::load(arguments.data + at);
      const int owner = group == -1 ? -1 : owner_before(arguments.data, at);
      if (owner != -1 && owner != group) atomicMin(&first_shared, at);
    }
  }
  if constexpr (CheckConfig::kLayout == Layout::kKGrouped) {
    const u32 beyond = first_slice_beyond(arguments);
    if (beyond != kNowhere) atomicMin(&first_bad, beyond);
  }
  __syncthreads();
  const u32 bad = least(first_bad, first_shared);
  if (threadIdx.x != 0 || bad == kNowhere || arguments.report[0] != 0) return;
  arguments.report[1] = ptx::load(arguments.data + bad);
  arguments.report[2] = first_shared < first_bad;
  arguments.report[0] = static_cast<int>(bad) + 1;
}

}  // namespace deepgemm

extern "C" __global__ void __launch_bounds__(deepgemm::kCheckThreads)
    check_groups(const __grid_constant__ deepgemm::CheckArguments arguments) {
  deepgemm::ptx::allow_next_kernel();
  deepgemm::ptx::wait_for_previous_kernel();
  deepgemm::check_groups(arguments);
}
