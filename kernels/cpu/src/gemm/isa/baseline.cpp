#include "gemm/kernel/portable_hooks.hpp"
#include "gemm/kernel/table.hpp"

namespace deepgemm::cpu {

const KernelTable& baseline_kernels() {
  static constexpr KernelTable table = make_table<PortableHooks<4, 2>>();
  return table;
}

}  // namespace deepgemm::cpu
