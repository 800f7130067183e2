#define DEEPGEMM_LANES 8
#include "cast/kernels_impl.hpp"

namespace deepgemm::cpu {

const CastKernels kCastKernelsAvx2 = kCastKernels;

}  // namespace deepgemm::cpu
