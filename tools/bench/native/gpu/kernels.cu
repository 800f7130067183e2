// What the GPU benchmark needs besides the library's kernels: operands made on the device, a check
// of products, a read of weights as fast as the memory allows, and kernels that do nothing.
// Self-contained, as the library's sources are; `src/gpu/kernels.ts` compiles and launches it.

using u8 = unsigned char;
using u16 = unsigned short;
using u32 = unsigned int;
using u64 = unsigned long long;

// The same hash and the same operands as in `peers/gpu_operands.py`: change both or none.
__device__ __forceinline__ u32 hashed(u32 index, u32 seed) {
  u32 h = index + seed * 0x9e3779b9u;
  h = (h ^ (h >> 16)) * 0x85ebca6bu;
  h = (h ^ (h >> 13)) * 0xc2b2ae35u;
  return h ^ (h >> 16);
}

// The sum of four random bytes, around zero: close to a normal distribution whose third sigma is
// 448, as values are after a cast with a scale per 128. A whole number, so every step is exact.
__device__ __forceinline__ float bell(u32 h) {
  const int sum = static_cast<int>((h & 255) + (h >> 8 & 255) + (h >> 16 & 255) + (h >> 24));
  return fminf(fmaxf(static_cast<float>(sum - 510), -448.0f), 448.0f);
}

// Elements 2i and 2i + 1 in one store.
extern "C" __global__ void bench_fill_e4m3(u16* to, u64 pairs, u32 seed) {
  const u64 step = u64{gridDim.x} * blockDim.x;
  for (u64 i = u64{blockIdx.x} * blockDim.x + threadIdx.x; i < pairs; i += step) {
    const float low = bell(hashed(static_cast<u32>(2 * i), seed));
    const float high = bell(hashed(static_cast<u32>(2 * i + 1), seed));
    asm("cvt.rn.satfinite.e4m3x2.f32 %0, %1, %2;" : "=h"(to[i]) : "f"(high), "f"(low));
  }
}

// The scale of grid row r and column c is in [0.5, 1.5) and lies at r * row_step + c * column_step.
extern "C" __global__ void bench_fill_scales(float* to, u32 rows, u32 columns, u32 row_step,
                                             u32 column_step, u32 seed) {
  const u64 count = u64{rows} * columns;
  const u64 step = u64{gridDim.x} * blockDim.x;
  for (u64 i = u64{blockIdx.x} * blockDim.x + threadIdx.x; i < count; i += step) {
    const u64 at = i / columns * row_step + i % columns * column_step;
    const u32 bits = hashed(static_cast<u32>(i), seed) >> 9;
    to[at] = 0.5f + static_cast<float>(bits) * (1.0f / (1 << 23));
  }
}

extern "C" __global__ void bench_fill_f32(float* to, u64 count, u32 seed) {
  const u64 step = u64{gridDim.x} * blockDim.x;
  for (u64 i = u64{blockIdx.x} * blockDim.x + threadIdx.x; i < count; i += step) {
    to[i] = bell(hashed(static_cast<u32>(i), seed));
  }
}

extern "C" __global__ void bench_fill_bf16(u16* to, u64 count, u32 seed) {
  const u64 step = u64{gridDim.x} * blockDim.x;
  for (u64 i = u64{blockIdx.x} * blockDim.x + threadIdx.x; i < count; i += step) {
    to[i] = static_cast<u16>(__float_as_uint(bell(hashed(static_cast<u32>(i), seed)) / 256) >> 16);
  }
}

// Every byte 0xff: a NaN in bf16 and in f32, for elements that a product forgets.
extern "C" __global__ void bench_poison(u16* to, u64 count) {
  const u64 step = u64{gridDim.x} * blockDim.x;
  for (u64 i = u64{blockIdx.x} * blockDim.x + threadIdx.x; i < count; i += step) to[i] = 0xffff;
}

__device__ __forceinline__ void decode16(const uint4& packed, float (&to)[16]) {
  const u32 words[4] = {packed.x, packed.y, packed.z, packed.w};
#pragma unroll
  for (int i = 0; i < 8; i++) {
    const u16 pair = static_cast<u16>(words[i / 2] >> (i % 2 * 16));
    u32 halves;
    asm("cvt.rn.f16x2.e4m3x2 %0, %1;" : "=r"(halves) : "h"(pair));
    asm("cvt.f32.f16 %0, %1;" : "=f"(to[2 * i]) : "h"(static_cast<u16>(halves)));
    asm("cvt.f32.f16 %0, %1;" : "=f"(to[2 * i + 1]) : "h"(static_cast<u16>(halves >> 16)));
  }
}

struct Product {
  const u8* a;
  const u8* b;
  const float* a_scales;  // of row r and K block j: at r + j * a_step
  const float* b_scales;  // of row r and K block j: at r / b_rows * b_row_step + j * b_step
  const void* out;        // [m, n] bf16, or f32, rows back to back
  const float* start;     // what the product was added to, or null
  double* sums;           // xy and xx + yy over all elements
  u32 m, n, k;            // k a multiple of 16
  u32 a_row, b_row;       // elements from a row to the next, multiples of 16
  u32 a_step, b_row_step, b_step;
  u32 b_rows;  // rows of B that share a scale: 128 or 1
  u32 is_f32;
};

__device__ __forceinline__ double found(const Product& p, u64 at) {
  if (p.is_f32) return static_cast<const float*>(p.out)[at];
  return __uint_as_float(u32{static_cast<const u16*>(p.out)[at]} << 16);
}

// What the element should be, summed by the lanes of a warp: f32 over 16 of K, float64 beyond.
__device__ double expected(const Product& p, u32 row, u32 column) {
  double sum = 0;
  for (u32 k = threadIdx.x % 32 * 16; k < p.k; k += 512) {
    float a[16], b[16];
    decode16(*reinterpret_cast<const uint4*>(p.a + u64{row} * p.a_row + k), a);
    decode16(*reinterpret_cast<const uint4*>(p.b + u64{column} * p.b_row + k), b);
    float part = 0;
#pragma unroll
    for (int i = 0; i < 16; i++) part = fmaf(a[i], b[i], part);
    const double a_scale = p.a_scales[row + u64{k / 128} * p.a_step];
    const double b_scale = p.b_scales[column / p.b_rows * p.b_row_step + k / 128 * p.b_step];
    sum += part * (a_scale * b_scale);
  }
  for (int lane = 16; lane > 0; lane /= 2) sum += __shfl_xor_sync(~0u, sum, lane);
  return sum;
}

// Every element, one warp each; neighbouring warps share the row of A.
extern "C" __global__ void bench_check(const Product p) {
  const u64 count = u64{p.m} * p.n;
  const u64 warps = u64{gridDim.x} * blockDim.x / 32;
  double products = 0, squares = 0;
  for (u64 at = (u64{blockIdx.x} * blockDim.x + threadIdx.x) / 32; at < count; at += warps) {
    double want = expected(p, static_cast<u32>(at / p.n), static_cast<u32>(at % p.n));
    if (p.start != nullptr) want += p.start[at];
    const double got = found(p, at);
    products += want * got;
    squares += want * want + got * got;
  }
  if (threadIdx.x % 32 != 0) return;
  atomicAdd(p.sums, products);
  atomicAdd(p.sums + 1, squares);
}

__device__ __forceinline__ u32 shared_address(const void* pointer) {
  return static_cast<u32>(__cvta_generic_to_shared(pointer));
}

__device__ __forceinline__ void bulk_load(u32 to, const u8* from, u32 bytes, u32 barrier) {
  asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" ::"r"(barrier), "r"(bytes)
               : "memory");
  asm volatile(
      "cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1], %2, [%3];" ::
          "r"(to),
      "l"(from), "r"(bytes), "r"(barrier)
      : "memory");
}

__device__ __forceinline__ void wait_for(u32 barrier, u32 parity) {
  u32 done = 0;
  while (done == 0) {
    asm volatile(
        "{ .reg .pred p; mbarrier.try_wait.parity.shared::cta.b64 p, [%1], %2;"
        " selp.u32 %0, 1, 0, p; }"
        : "=r"(done)
        : "r"(barrier), "r"(parity)
        : "memory");
  }
}

constexpr u32 kStages = 8;
constexpr u32 kChunk = 16384;

// Brings `bytes`, a multiple of 16, through shared memory with bulk copies and leaves them there.
extern "C" __global__ void __launch_bounds__(32, 1) bench_read(const u8* from, u64 bytes) {
  extern __shared__ __align__(128) u8 ring[];
  __shared__ __align__(8) u64 barriers[kStages];
  if (threadIdx.x != 0) return;
  for (u64& barrier : barriers) {
    asm volatile("mbarrier.init.shared::cta.b64 [%0], 1;" ::"r"(shared_address(&barrier)));
  }
  asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
  const u64 chunks = (bytes + kChunk - 1) / kChunk;
  const u64 mine = chunks > blockIdx.x ? (chunks - blockIdx.x - 1) / gridDim.x + 1 : 0;
  const auto load = [&](u64 i) {
    const u64 start = (blockIdx.x + i * gridDim.x) * kChunk;
    const u32 size = static_cast<u32>(bytes - start < kChunk ? bytes - start : kChunk);
    const u32 stage = static_cast<u32>(i % kStages);
    bulk_load(shared_address(ring + stage * kChunk), from + start, size,
              shared_address(barriers + stage));
  };
  for (u64 i = 0; i < mine && i < kStages; i++) load(i);
  for (u64 i = 0; i < mine; i++) {
    wait_for(shared_address(barriers + i % kStages), static_cast<u32>(i / kStages % 2));
    if (i + kStages < mine) load(i + kStages);
  }
}

// Keeps the stream busy, so that what is enqueued behind it is there when it ends.
extern "C" __global__ void bench_pause(u32 nanoseconds) {
  u64 start, now;
  asm volatile("mov.u64 %0, %%globaltimer;" : "=l"(start));
  do asm volatile("mov.u64 %0, %%globaltimer;" : "=l"(now));
  while (now - start < nanoseconds);
}

extern "C" __global__ void bench_empty() {}
