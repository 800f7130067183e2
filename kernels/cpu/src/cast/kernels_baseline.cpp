#define DEEPGEMM_LANES 4
#include "cast/kernels_impl.hpp"

namespace deepgemm::cpu {

const CastKernels kCastKernelsBaseline = kCastKernels;

}  // namespace deepgemm::cpu
