// A tensor map as the driver encodes it: opaque here, only its size and alignment matter.
#pragma once

#include "base/types.cuh"

namespace deepgemm {

struct alignas(64) TensorMap {
  u64 opaque[16];
};

static_assert(sizeof(TensorMap) == 128, "the driver encodes a tensor map in 128 bytes");

}  // namespace deepgemm
