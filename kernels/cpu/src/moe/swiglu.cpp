// swiglu() and swiglu_quantize(): the activation between the two GEMMs of an expert.
#include "cast/kernels.hpp"
#include "cast/scale_grid.hpp"
#include "cast/tiles.hpp"
#include "moe/kernels.hpp"
#include "moe/row_set.hpp"

namespace deepgemm::cpu {
namespace {

// Columns at a time: a multiple of 128 whose f32 intermediate stays in the first-level cache.
constexpr int64_t kSpan = 1024;
constexpr int64_t kRunElements = 1 << 14;

// Calls body(row, column, activation, count) for every span of every valid row.
template <class Body>
void for_each_span(Pool& pool, Isa isa, const RowSet& set, int64_t columns, const void* input,
                   FloatType input_type, int64_t input_row_stride, const Body& body) {
  const auto kernel = moe_kernels(isa).swiglu[static_cast<int>(input_type)];
  const int64_t bytes = element_bytes(input_type);
  const int64_t run = std::max<int64_t>(1, kRunElements / std::max<int64_t>(1, columns));
  for_each_run(pool, row_limit(set), run, [&](int64_t first, int64_t rows) {
    alignas(64) float activation[kSpan];
    for (int64_t row = first; row < first + rows; ++row) {
      if (!is_valid_row(set, row)) continue;
      const char* gate = static_cast<const char*>(input) + row * input_row_stride * bytes;
      const char* up = gate + columns * bytes;
      for (int64_t c = 0; c < columns; c += kSpan) {
        const int64_t count = std::min(kSpan, columns - c);
        kernel(gate + c * bytes, up + c * bytes, count, activation);
        body(row, c, activation, count);
      }
    }
  });
}

}  // namespace

void swiglu(Pool& pool, Isa isa, const SwigluArgs& args) {
  const auto convert =
      cast_kernels(isa).convert[static_cast<int>(FloatType::f32)][static_cast<int>(args.out_type)];
  const int64_t bytes = element_bytes(args.out_type);
  for_each_span(
      pool, isa, args.row_set, args.columns, args.input, args.input_type, args.input_row_stride,
      [&](int64_t row, int64_t column, const float* activation, int64_t count) {
        convert(activation, count,
                static_cast<char*>(args.out) + (row * args.out_row_stride + column) * bytes);
      });
}

void swiglu_quantize(Pool& pool, Isa isa, const SwigluQuantizeArgs& args) {
  const auto quantize_row = cast_kernels(isa).quantize_row[static_cast<int>(FloatType::f32)];
  const int64_t bytes = element_bytes(args.scales.format);
  for_each_span(
      pool, isa, args.row_set, args.columns, args.input, args.input_type, args.input_row_stride,
      [&](int64_t row, int64_t column, const float* activation, int64_t count) {
        const int64_t at = scale_index(args.scales, 0, row, column / kScaleBlock);
        quantize_row(activation, count, args.values + row * args.values_row_stride + column,
                     {static_cast<char*>(args.scales.data) + at * bytes, args.scales.format,
                      args.scales.column_stride},
                     Encoding::cached);
      });
}

}  // namespace deepgemm::cpu
