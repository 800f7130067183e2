#include "gemm/isa/avx512_bf16_hooks.hpp"
#include "gemm/kernel/table.hpp"

namespace deepgemm::cpu {

const KernelTable& avx512_bf16_kernels() {
  static constexpr KernelTable table = make_table<Avx512Bf16Hooks>();
  return table;
}

}  // namespace deepgemm::cpu
