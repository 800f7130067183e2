// The element-wise kernels behind the mixture-of-experts functions: one table per instruction set,
// all with the same bits.
#pragma once

#include <cstdint>

#include "deepgemm/cpu/moe.hpp"

namespace deepgemm::cpu {

// Pointers to void are to elements of the type that indexes the array, by FloatType.
struct MoeKernels {
  void (*sigmoid)(const float* source, int64_t count, float* out);
  // out = exp(source - shift)
  void (*exp_shifted)(const float* source, int64_t count, float shift, float* out);
  // out = gate / (1 + exp(-gate)) * up
  void (*swiglu[3])(const void* gate, const void* up, int64_t count, float* out);
  // sum = sum + weight * row
  void (*add_weighted[3])(const void* row, float weight, int64_t count, float* sum);
  // sum = sum + row
  void (*add[3])(const void* row, int64_t count, float* sum);
};

const MoeKernels& moe_kernels(Isa isa);

extern const MoeKernels kMoeKernelsBaseline;
extern const MoeKernels kMoeKernelsAvx2;
extern const MoeKernels kMoeKernelsAvx512;

}  // namespace deepgemm::cpu
