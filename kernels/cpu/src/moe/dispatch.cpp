#include "moe/kernels.hpp"

namespace deepgemm::cpu {

const MoeKernels& moe_kernels(Isa isa) {
#if defined(DEEPGEMM_CPU_HAS_X86)
  switch (isa) {
    case Isa::avx2:
      return kMoeKernelsAvx2;
    case Isa::avx512:
    case Isa::avx512_bf16:
    case Isa::amx:
      return kMoeKernelsAvx512;
    case Isa::baseline:
    case Isa::neon:
      break;
  }
#else
  static_cast<void>(isa);  // the portable vectors are the native ones
#endif
  return kMoeKernelsBaseline;
}

}  // namespace deepgemm::cpu
