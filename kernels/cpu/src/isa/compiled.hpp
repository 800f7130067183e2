// Which instruction sets this build contains. The DEEPGEMM_CPU_HAS_* macros come from CMake, which
// knows the target processor and what its compiler accepts.
#pragma once

#include "deepgemm/cpu/isa.hpp"

namespace deepgemm::cpu {

constexpr bool is_compiled(Isa isa) {
  switch (isa) {
    case Isa::baseline:
      return true;
    case Isa::neon:
#if defined(DEEPGEMM_CPU_HAS_NEON)
      return true;
#else
      return false;
#endif
    case Isa::avx2:
    case Isa::avx512:
    case Isa::avx512_bf16:
#if defined(DEEPGEMM_CPU_HAS_X86)
      return true;
#else
      return false;
#endif
    case Isa::amx:
#if defined(DEEPGEMM_CPU_HAS_AMX)
      return true;
#else
      return false;
#endif
  }
  return false;
}

}  // namespace deepgemm::cpu
