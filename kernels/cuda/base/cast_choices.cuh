// What the config of a cast chooses among, by name. Included before the generated config.
#pragma once

#include "base/choices.cuh"

namespace deepgemm {

// Which elements of what a cast reads share a scale: 1x128, 128x128 or 128x1.
enum class Blocks { kRows, kSquares, kColumns };

}  // namespace deepgemm
