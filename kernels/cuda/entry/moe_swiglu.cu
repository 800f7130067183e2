// silu(gate) * up of rows [gate | up], in a float type. config.cuh is generated (SwigluConfig).
// Rows that hold no data are neither read nor written.
#include "base/choices.cuh"
#include "config.cuh"
#include "moe/arguments.cuh"
#include "moe/floats.cuh"
#include "moe/silu.cuh"
#include "ptx/control.cuh"

extern "C" __global__ void __launch_bounds__(128)
    moe_swiglu(const __grid_constant__ deepgemm::SwigluArguments arguments) {
  using namespace deepgemm;
  using Config = SwigluConfig;
  ptx::allow_next_kernel();
  ptx::wait_for_previous_kernel();
  const u32 row = blockIdx.x;
  if (row >= arguments.set.limit() || !arguments.set.holds(row)) return;
  const u32 columns = arguments.columns;
  const u32 column = (blockIdx.y * blockDim.x + threadIdx.x) * kRun;
  const u8* gates = static_cast<const u8*>(arguments.input) +
                    row * arguments.input_stride * kBytesOf<Config::kInput>;
  Run<Config::kInput> gate;
  Run<Config::kInput> up;
  gate.load<Config::kAligned>(gates, column, columns);
  up.load<Config::kAligned>(gates + static_cast<u64>(columns) * kBytesOf<Config::kInput>, column,
                            columns);
  float values[kRun];
#pragma unroll
  for (int i = 0; i < kRun; ++i) values[i] = silu_times(gate.value(i), up.value(i));
  u8* out = static_cast<u8*>(arguments.out) + row * arguments.out_stride * kBytesOf<Config::kOut>;
  store_run<Config::kOut, Config::kAligned>(out, column, columns, values);
}
