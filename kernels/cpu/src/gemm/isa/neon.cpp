// AArch64 has 32 vector registers and fused multiply-add: a larger tile of the portable kernels.
#include "gemm/kernel/portable_hooks.hpp"
#include "gemm/kernel/tile_kernels.hpp"

namespace deepgemm::cpu {

const KernelTable& neon_kernels() {
  static constexpr KernelTable table = TileKernels<PortableHooks<8, 2>>::table();
  return table;
}

}  // namespace deepgemm::cpu
