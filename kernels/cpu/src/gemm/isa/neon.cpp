// AArch64 has 32 vector registers and fused multiply-add: a larger tile of the portable kernels.
#include "gemm/kernel/portable_hooks.hpp"
#include "gemm/kernel/table.hpp"

namespace deepgemm::cpu {

const KernelTable& neon_kernels() {
  static constexpr KernelTable table = make_table<PortableHooks<8, 2>>();
  return table;
}

}  // namespace deepgemm::cpu
