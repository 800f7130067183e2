// cp.async.bulk.tensor: tiles between global and shared memory, described by a tensor map.
#pragma once

#include "ptx/address.cuh"

namespace deepgemm::ptx {

// prefetch.tensormap
DEEPGEMM_DEVICE void prefetch_tensor_map(const void* map) {
  asm volatile("prefetch.tensormap [%0];" ::"l"(reinterpret_cast<u64>(map)) : "memory");
}

// Loads the box at (x, y); the barrier of this block counts its bytes. Outside the tensor the box
// is filled with zeros, and those bytes count too.
DEEPGEMM_DEVICE void tensor_load(void* to, const void* map, u64* barrier, u32 x, u32 y) {
  asm volatile(
      "cp.async.bulk.tensor.2d.shared::cluster.global.mbarrier::complete_tx::bytes"
      " [%0], [%1, {%3, %4}], [%2];" ::"r"(shared_address(to)),
      "l"(reinterpret_cast<u64>(map)), "r"(shared_address(barrier)), "r"(x), "r"(y)
      : "memory");
}

// The same into every block of the cluster named by `mask`: the data and the bytes counted arrive
// at the same offsets in each of them.
DEEPGEMM_DEVICE void tensor_load_multicast(void* to, const void* map, u64* barrier, u32 x, u32 y,
                                           u16 mask) {
  asm volatile(
      "cp.async.bulk.tensor.2d.shared::cluster.global.mbarrier::complete_tx::bytes"
      ".multicast::cluster [%0], [%1, {%3, %4}], [%2], %5;" ::"r"(shared_address(to)),
      "l"(reinterpret_cast<u64>(map)), "r"(shared_address(barrier)), "r"(x), "r"(y), "h"(mask)
      : "memory");
}

// Stores the box at (x, y); what lies outside the tensor is not written.
DEEPGEMM_DEVICE void tensor_store(const void* map, const void* from, u32 x, u32 y) {
  asm volatile("cp.async.bulk.tensor.2d.global.shared::cta.bulk_group [%0, {%2, %3}], [%1];" ::"l"(
                   reinterpret_cast<u64>(map)),
               "r"(shared_address(from)), "r"(x), "r"(y)
               : "memory");
}

// cp.reduce.async.bulk.tensor, .add: the same, added to what is there, f32 by f32.
DEEPGEMM_DEVICE void tensor_add(const void* map, const void* from, u32 x, u32 y) {
  asm volatile(
      "cp.reduce.async.bulk.tensor.2d.global.shared::cta.add.tile.bulk_group [%0, {%2, %3}], "
      "[%1];" ::"l"(reinterpret_cast<u64>(map)),
      "r"(shared_address(from)), "r"(x), "r"(y)
      : "memory");
}

// cp.async.bulk.commit_group
DEEPGEMM_DEVICE void bulk_commit() { asm volatile("cp.async.bulk.commit_group;" ::: "memory"); }

// cp.async.bulk.wait_group.read: the committed stores have read their shared memory.
DEEPGEMM_DEVICE void bulk_wait_read() {
  asm volatile("cp.async.bulk.wait_group.read 0;" ::: "memory");
}

// fence.proxy.async: ordinary writes to shared memory before it are seen by the copy engine.
DEEPGEMM_DEVICE void fence_async_proxy() {
  asm volatile("fence.proxy.async.shared::cta;" ::: "memory");
}

}  // namespace deepgemm::ptx
