#define DEEPGEMM_LANES 16
#include "cast/kernels_impl.hpp"

namespace deepgemm::cpu {

const CastKernels kCastKernelsAvx512Bf16 = kCastKernels;

}  // namespace deepgemm::cpu
