// permute_rows(): every token is read once and copied to each of its destinations.
#include <cstring>

#include "cast/scale_grid.hpp"
#include "cast/tiles.hpp"
#include "deepgemm/cpu/moe.hpp"

namespace deepgemm::cpu {
namespace {

constexpr int64_t kRunBytes = 1 << 16;

template <class Scale>
void copy_scales(const PermuteRowsArgs& args, int64_t token, int64_t row) {
  const Scale* from =
      static_cast<const Scale*>(args.source_scales.data) + token * args.source_scales.row_stride;
  Scale* to = static_cast<Scale*>(args.out_scales.data) + row * args.out_scales.row_stride;
  for (int64_t c = 0; c < args.scale_columns; ++c) {
    to[c * args.out_scales.column_stride] = from[c * args.source_scales.column_stride];
  }
}

void copy_row(const PermuteRowsArgs& args, int64_t token, int64_t row) {
  std::memcpy(static_cast<char*>(args.out) + row * args.out_row_stride,
              static_cast<const char*>(args.source) + token * args.source_row_stride,
              static_cast<size_t>(args.row_bytes));
  if (args.source_scales.format == ScaleFormat::f32) {
    copy_scales<float>(args, token, row);
  } else {
    copy_scales<uint8_t>(args, token, row);
  }
}

void zero_row(const PermuteRowsArgs& args, int64_t row) {
  std::memset(static_cast<char*>(args.out) + row * args.out_row_stride, 0,
              static_cast<size_t>(args.row_bytes));
  for (int64_t c = 0; c < args.scale_columns; ++c) {
    zero_scale(args.out_scales, scale_index(args.out_scales, 0, row, c));
  }
}

}  // namespace

void permute_rows(Pool& pool, Isa, const PermuteRowsArgs& args) {
  const int64_t run = std::max<int64_t>(1, kRunBytes / std::max<int64_t>(1, args.row_bytes));
  for_each_run(pool, args.tokens, run, [&](int64_t first, int64_t count) {
    for (int64_t slot = first * args.top_k; slot < (first + count) * args.top_k; ++slot) {
      const int64_t row = args.destination[slot];
      if (row >= 0 && row < args.out_rows) copy_row(args, slot / args.top_k, row);
    }
  });
  if (args.group_index == nullptr) return;
  for_each_run(pool, args.out_rows, run, [&](int64_t first, int64_t count) {
    for (int64_t row = first; row < first + count; ++row) {
      if (args.group_index[row] < 0) zero_row(args, row);
    }
  });
}

}  // namespace deepgemm::cpu
