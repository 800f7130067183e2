#define DEEPGEMM_LANES 8
#include "moe/kernels_impl.hpp"

namespace deepgemm::cpu {

const MoeKernels kMoeKernelsAvx2 = kMoeKernels;

}  // namespace deepgemm::cpu
