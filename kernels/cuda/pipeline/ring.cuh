// Position in the ring of stages: producer and consumers walk it independently, in the same order.
#pragma once

#include "base/types.cuh"

namespace deepgemm {

template <int kStages>
struct Ring {
  u32 stage = 0;
  u32 parity = 0;  // of the phase that this walk is in

  DEEPGEMM_ANYWHERE void advance() {
    ++stage;
    if (stage == kStages) {
      stage = 0;
      parity ^= 1;
    }
  }
};

}  // namespace deepgemm
