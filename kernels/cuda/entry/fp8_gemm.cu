// The kernel of one config: config.cuh is generated (GemmConfig), see packages/core/src/sm90.
// It comes last, so that hosts can digest everything before it once for all configs.
#include "base/choices.cuh"
#include "entry/fp8_gemm.cuh"

#include "config.cuh"

extern "C" __global__ void __launch_bounds__(deepgemm::Tile<deepgemm::GemmConfig>::kThreads,
                                             deepgemm::GemmConfig::kBlocksPerSm)
    fp8_gemm(const __grid_constant__ deepgemm::GemmArguments arguments) {
  using Storage = deepgemm::SharedStorage<deepgemm::GemmConfig>;
  extern __shared__ deepgemm::u8 memory[];
  // Swizzles are functions of the address, so that the storage cannot start just anywhere.
  if (deepgemm::ptx::shared_address(memory) % alignof(Storage) != 0) deepgemm::ptx::trap();
  deepgemm::fp8_gemm_block<deepgemm::GemmConfig>(arguments, *reinterpret_cast<Storage*>(memory));
}
