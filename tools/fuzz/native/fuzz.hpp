// What the targets share: input as values, memory without slack, and checks that end the process.
#pragma once

#include <fuzzer/FuzzedDataProvider.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "deepgemm/cpu/isa.hpp"
#include "deepgemm/cpu/pool.hpp"

namespace deepgemm::fuzz {

using Input = FuzzedDataProvider;

inline void require(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "\nfuzz: %s\n", what);
  std::abort();
}

// `count` elements whose bytes are the input's, zeros once it has none left. The memory ends where
// the last element does, so that the sanitizer sees every access beyond.
template <typename T>
std::vector<T> any_values(Input& input, int64_t count) {
  std::vector<T> values(static_cast<size_t>(count));
  if (count == 0) values.reserve(1);  // Of no elements, but with an address, as the addon's are.
  if (count > 0) input.ConsumeData(values.data(), values.size() * sizeof(T));
  return values;
}

// Whole numbers that are mostly near the legal ones, and sometimes any.
inline std::vector<int32_t> any_indices(Input& input, int64_t count, int32_t most) {
  std::vector<int32_t> values(static_cast<size_t>(count));
  for (int32_t& value : values) {
    value = input.ConsumeIntegral<uint8_t>() < 250 ? input.ConsumeIntegralInRange(-2, most + 1)
                                                   : input.ConsumeIntegral<int32_t>();
  }
  return values;
}

inline int64_t extent(Input& input, int64_t most) {
  return input.ConsumeIntegralInRange<int64_t>(0, most);
}

// Instruction sets that this machine runs; the input chooses.
inline cpu::Isa any_isa(Input& input) {
  static const std::vector<cpu::Isa> isas = cpu::available_isas();
  return isas[input.ConsumeIntegralInRange<size_t>(0, isas.size() - 1)];
}

// Never destroyed: its threads would be joined while the process ends.
inline cpu::Pool& pool_of(int threads) {
  static auto* one = new cpu::Pool(1);
  static auto* three = new cpu::Pool(3);
  return threads == 1 ? *one : *three;
}

// One thread mostly: three take turns, which costs much more than what the inputs here compute.
inline bool takes_turns(Input& input) { return input.ConsumeIntegralInRange(0, 15) == 15; }
inline cpu::Pool& any_pool(Input& input) { return pool_of(takes_turns(input) ? 3 : 1); }

template <typename T>
bool same_bytes(const std::vector<T>& a, const std::vector<T>& b) {
  return a.size() == b.size() &&
         (a.empty() || std::memcmp(a.data(), b.data(), a.size() * sizeof(T)) == 0);
}

void fuzz_grouped(Input& input);
void fuzz_k_grouped(Input& input);
void fuzz_permutation(Input& input);
void fuzz_route(Input& input);
void fuzz_swiglu(Input& input);
void fuzz_casts(Input& input);
void fuzz_stream(Input& input);

}  // namespace deepgemm::fuzz
