// Cuts [groups, rows, columns] into tiles for the pool.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>

#include "cast/scale_grid.hpp"
#include "deepgemm/cpu/pool.hpp"

namespace deepgemm::cpu {

struct Tile {
  int64_t group;
  int64_t row;
  int64_t rows;
  int64_t column;
  int64_t columns;
};

// How long one thread takes to cast so many elements, roughly.
static inline std::chrono::nanoseconds cast_time(int64_t elements) {
  return std::chrono::nanoseconds(elements / 4);
}

// Calls body(tile) for every tile of at most tile_rows x tile_columns, along a row of tiles first.
template <class Body>
static void for_each_tile(Pool& pool, int64_t groups, int64_t rows, int64_t columns,
                          int64_t tile_rows, int64_t tile_columns, const Body& body) {
  const int64_t down = ceil_div(rows, tile_rows);
  const int64_t across = ceil_div(columns, tile_columns);
  const auto run = [&](int64_t index) {
    const int64_t column = index % across * tile_columns;
    const int64_t row = index / across % down * tile_rows;
    body(Tile{index / across / down, row, std::min(tile_rows, rows - row), column,
              std::min(tile_columns, columns - column)});
  };
  pool.parallel_for(groups * down * across, run, cast_time(groups * rows * columns));
}

// Calls body(first, count) for runs of [0, total), each at most `run` long.
template <class Body>
static void for_each_run(Pool& pool, int64_t total, int64_t run, const Body& body) {
  pool.parallel_for(ceil_div(total, run), [&](int64_t index) {
    const int64_t first = index * run;
    body(first, std::min(run, total - first));
  });
}

}  // namespace deepgemm::cpu
