#include "gemm/kernel/portable_hooks.hpp"
#include "gemm/kernel/tile_kernels.hpp"

namespace deepgemm::cpu {

const KernelTable& baseline_kernels() {
  static constexpr KernelTable table = TileKernels<PortableHooks<4, 2>>::table();
  return table;
}

}  // namespace deepgemm::cpu
