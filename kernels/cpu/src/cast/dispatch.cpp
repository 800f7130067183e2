#include "cast/kernels.hpp"

namespace deepgemm::cpu {

const CastKernels& cast_kernels(Isa isa) {
#if defined(DEEPGEMM_CPU_HAS_X86)
  switch (isa) {
    case Isa::avx2:
      return kCastKernelsAvx2;
    case Isa::avx512:
      return kCastKernelsAvx512;
    case Isa::avx512_bf16:
    case Isa::amx:
      return kCastKernelsAvx512Bf16;
    case Isa::baseline:
    case Isa::neon:
      break;
  }
#else
  static_cast<void>(isa);  // the portable vectors are the native ones
#endif
  return kCastKernelsBaseline;
}

}  // namespace deepgemm::cpu
