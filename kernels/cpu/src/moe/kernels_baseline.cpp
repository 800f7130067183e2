#define DEEPGEMM_LANES 4
#include "moe/kernels_impl.hpp"

namespace deepgemm::cpu {

const MoeKernels kMoeKernelsBaseline = kMoeKernels;

}  // namespace deepgemm::cpu
