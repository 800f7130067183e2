// The few names that the standard headers would give. The sources include nothing from outside
// this folder, so that NVRTC compiles them on a machine without a CUDA toolkit.
#pragma once

#if defined(__CUDACC__)
#define DEEPGEMM_DEVICE __device__ __forceinline__
#define DEEPGEMM_ANYWHERE __host__ __device__ __forceinline__
#else  // arithmetic that the host's tests compile too
#define DEEPGEMM_ANYWHERE inline
#endif

namespace deepgemm {

using u8 = unsigned char;
using u16 = unsigned short;
using u32 = unsigned int;
using u64 = unsigned long long;
using i64 = long long;

static_assert(sizeof(u16) == 2 && sizeof(u32) == 4 && sizeof(u64) == 8);

// Elements of K that share a scale, and that one partial sum of the tensor cores covers.
constexpr int kScaleBlock = 128;

constexpr int kWarpThreads = 32;
constexpr int kWarpGroupThreads = 128;

template <class T>
DEEPGEMM_ANYWHERE constexpr T ceil_div(T value, T divisor) {
  return (value + divisor - 1) / divisor;
}

template <class T>
DEEPGEMM_ANYWHERE constexpr T round_up(T value, T multiple) {
  return ceil_div(value, multiple) * multiple;
}

template <class T>
DEEPGEMM_ANYWHERE constexpr T least(T a, T b) {
  return a < b ? a : b;
}

template <class T>
DEEPGEMM_ANYWHERE constexpr T most(T a, T b) {
  return a < b ? b : a;
}

DEEPGEMM_ANYWHERE constexpr int common_divisor(int a, int b) {
  while (b != 0) {
    const int rest = a % b;
    a = b;
    b = rest;
  }
  return a;
}

}  // namespace deepgemm
