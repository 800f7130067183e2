// Shared memory of other blocks of the cluster.
#pragma once

#include "ptx/address.cuh"

namespace deepgemm::ptx {

// ld.shared::cluster: the same variable in the block `rank` of the cluster.
DEEPGEMM_DEVICE u32 load_peer(const u32* own, u32 rank) {
  u32 value;
  asm volatile("ld.shared::cluster.u32 %0, [%1];"
               : "=r"(value)
               : "r"(peer_address(shared_address(own), rank))
               : "memory");
  return value;
}

}  // namespace deepgemm::ptx
