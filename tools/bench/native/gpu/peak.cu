// The most that FP8 tensor cores do on operands that lie in shared memory already: without anything
// between, and with the promotion that block scales need. Compiled behind kernels.cu.

// d (+)= a * b of m64n128k32; descriptors of K-major operands, swizzled over 128 bytes.
__device__ __forceinline__ void wgmma_n128(float (&d)[64], u64 a, u64 b, u32 accumulate) {
  // clang-format off
  asm volatile(
      "{.reg .pred p; setp.ne.b32 p, %66, 0;"
      " wgmma.mma_async.sync.aligned.m64n128k32.f32.e4m3.e4m3 {"
      "%0,%1,%2,%3,%4,%5,%6,%7,%8,%9,%10,%11,%12,%13,%14,%15,"
      "%16,%17,%18,%19,%20,%21,%22,%23,%24,%25,%26,%27,%28,%29,%30,%31,"
      "%32,%33,%34,%35,%36,%37,%38,%39,%40,%41,%42,%43,%44,%45,%46,%47,"
      "%48,%49,%50,%51,%52,%53,%54,%55,%56,%57,%58,%59,%60,%61,%62,%63"
      "}, %64, %65, p, 1, 1;}"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3]), "+f"(d[4]), "+f"(d[5]),
        "+f"(d[6]), "+f"(d[7]), "+f"(d[8]), "+f"(d[9]), "+f"(d[10]), "+f"(d[11]),
        "+f"(d[12]), "+f"(d[13]), "+f"(d[14]), "+f"(d[15]), "+f"(d[16]), "+f"(d[17]),
        "+f"(d[18]), "+f"(d[19]), "+f"(d[20]), "+f"(d[21]), "+f"(d[22]), "+f"(d[23]),
        "+f"(d[24]), "+f"(d[25]), "+f"(d[26]), "+f"(d[27]), "+f"(d[28]), "+f"(d[29]),
        "+f"(d[30]), "+f"(d[31]), "+f"(d[32]), "+f"(d[33]), "+f"(d[34]), "+f"(d[35]),
        "+f"(d[36]), "+f"(d[37]), "+f"(d[38]), "+f"(d[39]), "+f"(d[40]), "+f"(d[41]),
        "+f"(d[42]), "+f"(d[43]), "+f"(d[44]), "+f"(d[45]), "+f"(d[46]), "+f"(d[47]),
        "+f"(d[48]), "+f"(d[49]), "+f"(d[50]), "+f"(d[51]), "+f"(d[52]), "+f"(d[53]),
        "+f"(d[54]), "+f"(d[55]), "+f"(d[56]), "+f"(d[57]), "+f"(d[58]), "+f"(d[59]),
        "+f"(d[60]), "+f"(d[61]), "+f"(d[62]), "+f"(d[63])
      : "l"(a), "l"(b), "r"(accumulate));
  // clang-format on
}

// Rows of 128 bytes in groups of 8 that are 1024 bytes apart, 128-byte swizzle.
__device__ __forceinline__ u64 descriptor(u32 shared) {
  return (static_cast<u64>((1u << 30) | (1024u >> 4)) << 32) | (1u << 16) | (shared >> 4);
}

// Keeps the compiler from moving accumulators across asynchronous instructions.
__device__ __forceinline__ void pin(float (&d)[64]) {
#pragma unroll
  for (float& x : d) asm volatile("" : "+f"(x)::"memory");
}

constexpr u32 kPeakStage = 16384;  // 128 rows of 128 bytes

// 128 of K: four instructions, waited for.
__device__ __forceinline__ void multiply_block(float (&d)[64], u32 a, u32 b, u32 accumulate) {
  pin(d);
  asm volatile("wgmma.fence.sync.aligned;" ::: "memory");
#pragma unroll
  for (u32 k = 0; k < 4; k++) {
    wgmma_n128(d, descriptor(a + 32 * k), descriptor(b + 32 * k), k != 0 || accumulate);
  }
  asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory");
  pin(d);
  asm volatile("wgmma.wait_group.sync.aligned 0;" ::: "memory");
  pin(d);
}

// Two warp groups of 64 rows each; two stages of A, then two of B, are in turn.
template <bool kPromotes>
__device__ __forceinline__ void run_peak(const uint4* operands, float* sink, u32 iterations) {
  extern __shared__ __align__(1024) u8 stages[];
  for (u32 i = threadIdx.x; i < 4 * kPeakStage / 16; i += blockDim.x) {
    reinterpret_cast<uint4*>(stages)[i] = operands[i];
  }
  asm volatile("fence.proxy.async.shared::cta;" ::: "memory");
  __syncthreads();
  const u32 a = shared_address(stages) + threadIdx.x / 128 * (kPeakStage / 2);
  const u32 b = shared_address(stages) + 2 * kPeakStage;
  float total[64] = {}, part[64] = {};
  float scale = 1;
  for (u32 i = 0; i < iterations; i++) {
    const u32 stage = i % 2 * kPeakStage;
    multiply_block(part, a + stage, b + stage, !kPromotes);
    if constexpr (kPromotes) {
#pragma unroll
      for (u32 j = 0; j < 64; j++) total[j] = fmaf(scale, part[j], total[j]);
      scale += 1e-6f;
    }
  }
  float sum = 0;
#pragma unroll
  for (u32 j = 0; j < 64; j++) sum += total[j] + part[j];
  if (sum == 12345.678f) sink[threadIdx.x] = sum;  // so that nothing is left out
}

extern "C" __global__ void __launch_bounds__(256, 1)
    bench_peak(const uint4* operands, float* sink, u32 iterations) {
  run_peak<false>(operands, sink, iterations);
}

extern "C" __global__ void __launch_bounds__(256, 1)
    bench_peak_promoted(const uint4* operands, float* sink, u32 iterations) {
  run_peak<true>(operands, sink, iterations);
}
