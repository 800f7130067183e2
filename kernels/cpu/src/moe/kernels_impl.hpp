// Bodies of MoeKernels over the vectors of one translation unit.
#pragma once

#include "cast/vectors.hpp"
#include "moe/kernels.hpp"

namespace deepgemm::cpu {
namespace {

// exp(x) within 2 units in the last place: x = n ln 2 + r, a Taylor polynomial in |r| <= 0.35 whose
// first dropped term is 5e-9, and 2^n in two factors so that the ends of the range work. ln 2 is
// split so that n times its first part is exact.
inline Float exp_lanes(Float x) {
  x = x > 89.0f ? splat(89.0f) : x;
  x = x < -104.0f ? splat(-104.0f) : x;
  const Float magic = splat(0x1.8p23f);  // adding it rounds to an integer
  const Float shifted = x * 0x1.715476p0f + magic;
  const Float n = shifted - magic;
  const Float r = (x - n * 0x1.62e4p-1f) - n * 0x1.7f7d1cp-20f;
  Float p = r * (1.0f / 5040.0f) + 1.0f / 720.0f;
  p = p * r + 1.0f / 120.0f;
  p = p * r + 1.0f / 24.0f;
  p = p * r + 1.0f / 6.0f;
  p = p * r + 0.5f;
  p = (p * r) * r + r + 1.0f;
  const Int power = (Int)shifted - (Int)magic;
  const Int half = power >> 1;
  const Float first = (Float)((half + 127) << 23);
  const Float second = (Float)((power - half + 127) << 23);
  return (p * first) * second;
}

inline Float sigmoid_lanes(Float x) { return 1.0f / (1.0f + exp_lanes(-x)); }

inline Float swiglu_lanes(Float gate, Float up) { return gate / (1.0f + exp_lanes(-gate)) * up; }

// The last count < kLanes elements, through a full vector padded with zeros.
template <class Memory>
inline Float load_tail(const typename Memory::Element* from, int64_t count) {
  typename Memory::Element padded[kLanes] = {};
  std::memcpy(padded, from, static_cast<size_t>(count) * sizeof *from);
  return Memory::load_vector(padded);
}

inline void store_tail(float* to, int64_t count, Float value) {
  std::memcpy(to, &value, static_cast<size_t>(count) * sizeof *to);
}

void sigmoid(const float* source, int64_t count, float* out) {
  int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) store(out + i, sigmoid_lanes(load<Float>(source + i)));
  if (i < count) {
    store_tail(out + i, count - i, sigmoid_lanes(load_tail<F32Memory>(source + i, count - i)));
  }
}

void exp_shifted(const float* source, int64_t count, float shift, float* out) {
  int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) {
    store(out + i, exp_lanes(load<Float>(source + i) - shift));
  }
  if (i < count) {
    store_tail(out + i, count - i, exp_lanes(load_tail<F32Memory>(source + i, count - i) - shift));
  }
}

template <class Memory>
void swiglu(const void* gate, const void* up, int64_t count, float* out) {
  const auto* gates = static_cast<const typename Memory::Element*>(gate);
  const auto* ups = static_cast<const typename Memory::Element*>(up);
  int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) {
    store(out + i, swiglu_lanes(Memory::load_vector(gates + i), Memory::load_vector(ups + i)));
  }
  if (i < count) {
    const int64_t rest = count - i;
    store_tail(out + i, rest,
               swiglu_lanes(load_tail<Memory>(gates + i, rest), load_tail<Memory>(ups + i, rest)));
  }
}

template <class Memory>
void add_weighted(const void* row, float weight, int64_t count, float* sum) {
  const auto* from = static_cast<const typename Memory::Element*>(row);
  int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) {
    store(sum + i, load<Float>(sum + i) + Memory::load_vector(from + i) * weight);
  }
  for (; i < count; ++i) sum[i] = sum[i] + Memory::decode(from[i]) * weight;
}

template <class Memory>
void add(const void* row, int64_t count, float* sum) {
  const auto* from = static_cast<const typename Memory::Element*>(row);
  int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) {
    store(sum + i, load<Float>(sum + i) + Memory::load_vector(from + i));
  }
  for (; i < count; ++i) sum[i] = sum[i] + Memory::decode(from[i]);
}

constexpr MoeKernels kMoeKernels{
    sigmoid,
    exp_shifted,
    {swiglu<F32Memory>, swiglu<F16Memory>, swiglu<Bf16Memory>},
    {add_weighted<F32Memory>, add_weighted<F16Memory>, add_weighted<Bf16Memory>},
    {add<F32Memory>, add<F16Memory>, add<Bf16Memory>},
};

}  // namespace
}  // namespace deepgemm::cpu
