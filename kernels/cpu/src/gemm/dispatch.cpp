#include "gemm/kernel_table.hpp"

namespace deepgemm::cpu {

const KernelTable& kernels_for(Isa isa) {
  switch (isa) {
#if defined(DEEPGEMM_CPU_HAS_X86)
    case Isa::avx2:
      return avx2_kernels();
    case Isa::avx512:
      return avx512_kernels();
    case Isa::avx512_bf16:
      return avx512_bf16_kernels();
#endif
#if defined(DEEPGEMM_CPU_HAS_AMX)
    case Isa::amx:
      return amx_kernels();
#endif
#if defined(DEEPGEMM_CPU_HAS_NEON)
    case Isa::neon:
      return neon_kernels();
#endif
    default:
      return baseline_kernels();
  }
}

}  // namespace deepgemm::cpu
