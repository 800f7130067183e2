// Weighted sums of the rows of every token's experts. config.cuh is generated (CombineConfig). The
// order and the roundings are those of combine() in kernels/cpu/include/deepgemm/cpu/moe.hpp:
//
//   out[t] = ((0 + w[t,0] * rows[d[t,0]]) + w[t,1] * rows[d[t,1]]) + ... + addend[t]
#include "base/choices.cuh"
#include "config.cuh"
#include "moe/arguments.cuh"
#include "moe/floats.cuh"
#include "ptx/control.cuh"

namespace deepgemm {

constexpr bool kAligned = CombineConfig::kAligned;
constexpr Source kRows = CombineConfig::kRows;
// Rows that a thread has in flight.
constexpr int kHeld = kRows == Source::kF32 ? 4 : 8;

DEEPGEMM_DEVICE void add_rows(const CombineArguments& arguments, u32 token, u32 column,
                              float (&sums)[kRun]) {
  const u64 first_slot = static_cast<u64>(token) * arguments.top_k;
  for (u32 first = 0; first < arguments.top_k; first += kHeld) {
    Run<kRows> runs[kHeld];
    float weights[kHeld];
    bool is_there[kHeld];
#pragma unroll
    for (int j = 0; j < kHeld; ++j) {
      is_there[j] = first + j < arguments.top_k;
      if (!is_there[j]) continue;
      const u32 row = static_cast<u32>(arguments.destination[first_slot + first + j]);
      is_there[j] = row < arguments.row_capacity;  // -1 is not
      if (!is_there[j]) continue;
      weights[j] = arguments.weights[first_slot + first + j];
      const u8* from =
          static_cast<const u8*>(arguments.rows) + row * arguments.rows_stride * kBytesOf<kRows>;
      runs[j].template load<kAligned>(from, column, arguments.columns);
    }
#pragma unroll
    for (int j = 0; j < kHeld; ++j) {
      if (!is_there[j]) continue;
#pragma unroll
      for (int i = 0; i < kRun; ++i) {
        sums[i] = __fadd_rn(sums[i], __fmul_rn(runs[j].value(i), weights[j]));
      }
    }
  }
}

}  // namespace deepgemm

extern "C" __global__ void __launch_bounds__(128)
    moe_combine(const __grid_constant__ deepgemm::CombineArguments arguments) {
  using namespace deepgemm;
  ptx::allow_next_kernel();
  ptx::wait_for_previous_kernel();
  const u32 token = blockIdx.x;
  const u32 column = (blockIdx.y * blockDim.x + threadIdx.x) * kRun;
  if (column >= arguments.columns) return;
  float sums[kRun] = {};
  add_rows(arguments, token, column, sums);
  if (arguments.addend != nullptr) {
    constexpr Source kAddend = CombineConfig::kAddend;
    Run<kAddend> run;
    const u8* from = static_cast<const u8*>(arguments.addend) +
                     token * arguments.addend_stride * kBytesOf<kAddend>;
    run.load<kAligned>(from, column, arguments.columns);
#pragma unroll
    for (int i = 0; i < kRun; ++i) sums[i] = __fadd_rn(sums[i], run.value(i));
  }
  u8* out = static_cast<u8*>(arguments.out) +
            token * arguments.out_stride * kBytesOf<CombineConfig::kOut>;
  store_run<CombineConfig::kOut, kAligned>(out, column, arguments.columns, sums);
}
