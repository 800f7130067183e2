#define DEEPGEMM_LANES 16
#include "moe/kernels_impl.hpp"

namespace deepgemm::cpu {

const MoeKernels kMoeKernelsAvx512 = kMoeKernels;

}  // namespace deepgemm::cpu
