// What a config chooses among, by name. Included before the generated config.
#pragma once

#include "base/types.cuh"

namespace deepgemm {

// Which operand the two blocks of a cluster share: each loads one half of it for both.
enum class Multicast { kNone, kLeft, kRight };

// kVectors: 1x128, a scale per row of the operand and 128 of K. kBlocks: 128x128.
enum class Scaling { kVectors, kBlocks };

enum class Output { kBf16, kF32 };

// How rows, or slices of K, belong to groups. A config that does not say is dense.
enum class Layout { kDense, kContiguous, kPacked, kMasked, kKGrouped };

template <class Config>
DEEPGEMM_ANYWHERE constexpr Layout layout_of() {
  if constexpr (requires { Config::kLayout; }) {
    return Config::kLayout;
  } else {
    return Layout::kDense;
  }
}

// What a cast reads.
enum class Source { kF32, kF16, kBf16 };

}  // namespace deepgemm
