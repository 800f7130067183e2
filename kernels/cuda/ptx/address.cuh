// Shared-memory addresses as the instructions want them: 32 bits wide.
#pragma once

#include "base/types.cuh"

namespace deepgemm::ptx {

DEEPGEMM_DEVICE u32 shared_address(const void* pointer) {
  return static_cast<u32>(__cvta_generic_to_shared(pointer));
}

// mapa: the address of the same variable in another block of the cluster.
DEEPGEMM_DEVICE u32 peer_address(u32 shared, u32 rank) {
  u32 peer;
  asm("mapa.shared::cluster.u32 %0, %1, %2;" : "=r"(peer) : "r"(shared), "r"(rank));
  return peer;
}

}  // namespace deepgemm::ptx
