// Loads and stores of global memory with a stated cache or ordering behaviour.
#pragma once

#include "base/types.cuh"

namespace deepgemm::ptx {

// ld.global. Not ld.global.nc, whose copies in L1 outlive griddepcontrol.wait: it may return what
// was there before the previous kernel wrote.
DEEPGEMM_DEVICE float load(const float* from) {
  float value;
  asm volatile("ld.global.f32 %0, [%1];" : "=f"(value) : "l"(from));
  return value;
}

DEEPGEMM_DEVICE int load(const int* from) {
  int value;
  asm volatile("ld.global.s32 %0, [%1];" : "=r"(value) : "l"(from));
  return value;
}

// prefetch.global.L2
DEEPGEMM_DEVICE void prefetch_l2(const void* from) {
  asm volatile("prefetch.global.L2 [%0];" ::"l"(from));
}

// ld.global.cg: from L2, past an L1 that may hold an older copy.
DEEPGEMM_DEVICE float4 load_l2(const float4* from) {
  float4 value;
  asm volatile("ld.global.cg.v4.f32 {%0, %1, %2, %3}, [%4];"
               : "=f"(value.x), "=f"(value.y), "=f"(value.z), "=f"(value.w)
               : "l"(from)
               : "memory");
  return value;
}

// ld.global.v2, st.global.v2: left to itself, the compiler makes two accesses of a pair whose
// registers are not neighbours.
DEEPGEMM_DEVICE float2 load_pair(const float* from) {
  float2 pair;
  asm volatile("ld.global.v2.f32 {%0, %1}, [%2];"
               : "=f"(pair.x), "=f"(pair.y)
               : "l"(from)
               : "memory");
  return pair;
}

DEEPGEMM_DEVICE void store_pair(float* to, float a, float b) {
  asm volatile("st.global.v2.f32 [%0], {%1, %2};" ::"l"(to), "f"(a), "f"(b) : "memory");
}

// st.shared.v2
DEEPGEMM_DEVICE void store_shared_pair(u32 to, float a, float b) {
  asm volatile("st.shared.v2.f32 [%0], {%1, %2};" ::"r"(to), "f"(a), "f"(b) : "memory");
}

// red.global.add.v2: adds to memory in L2, without an answer to wait for.
DEEPGEMM_DEVICE void add_pair(float* to, float a, float b) {
  asm volatile("red.relaxed.gpu.global.add.v2.f32 [%0], {%1, %2};" ::"l"(to), "f"(a), "f"(b)
               : "memory");
}

// st.release.gpu: what this block wrote before, as far as this thread is synchronised with it, is
// seen by whoever acquires the value.
DEEPGEMM_DEVICE void store_release(u32* to, u32 value) {
  asm volatile("st.release.gpu.global.u32 [%0], %1;" ::"l"(to), "r"(value) : "memory");
}

// ld.acquire.gpu
DEEPGEMM_DEVICE u32 load_acquire(const u32* from) {
  u32 value;
  asm volatile("ld.acquire.gpu.global.u32 %0, [%1];" : "=r"(value) : "l"(from) : "memory");
  return value;
}

}  // namespace deepgemm::ptx
