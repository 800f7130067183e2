// Casts of any bytes: every instruction set and any number of threads give the same bits.

#include "deepgemm/cpu/cast.hpp"

#include "fuzz.hpp"

namespace deepgemm::fuzz {
namespace {

struct Cast {
  explicit Cast(Input& input)
      : type(static_cast<cpu::FloatType>(input.ConsumeIntegralInRange(0, 2))),
        recipe(static_cast<cpu::ScaleRecipe>(input.ConsumeIntegralInRange(0, 2))),
        format(static_cast<cpu::ScaleFormat>(input.ConsumeIntegralInRange(0, 1))),
        transpose(input.ConsumeBool()),
        rows(extent(input, 140)),
        columns(extent(input, 140)) {}

  int64_t value_rows() const { return transpose ? columns : rows; }
  int64_t value_columns() const { return transpose ? rows : columns; }
  int64_t grid_rows() const {
    const bool tall = recipe != cpu::ScaleRecipe::row_1x128;
    return tall ? (value_rows() + 127) / 128 : value_rows();
  }
  int64_t grid_columns() const {
    const bool wide = recipe != cpu::ScaleRecipe::column_128x1;
    return wide ? (value_columns() + 127) / 128 : value_columns();
  }
  size_t scale_bytes() const {
    return size_t(grid_rows() * grid_columns()) * (format == cpu::ScaleFormat::f32 ? 4 : 1);
  }

  cpu::FloatType type;
  cpu::ScaleRecipe recipe;
  cpu::ScaleFormat format;
  bool transpose;
  int64_t rows, columns;
};

struct Quantized {
  std::vector<uint8_t> values, scales;
};

Quantized quantize(const Cast& cast, const std::vector<uint8_t>& source, cpu::Pool& pool,
                   cpu::Isa isa) {
  Quantized result{std::vector<uint8_t>(size_t(cast.rows * cast.columns)),
                   std::vector<uint8_t>(cast.scale_bytes())};
  cpu::QuantizeArgs args;
  args.source = source.data();
  args.source_type = cast.type;
  args.rows = cast.rows;
  args.columns = args.source_row_stride = cast.columns;
  args.values = result.values.data();
  args.values_row_stride = cast.value_columns();
  args.recipe = cast.recipe;
  args.scales = {result.scales.data(), cast.format, 0, cast.grid_columns(), 1, 0};
  args.transpose = cast.transpose;
  cpu::quantize(pool, isa, args);
  return result;
}

// And back, and turned around.
void dequantize(const Cast& cast, Quantized& from, cpu::Pool& pool, cpu::Isa isa) {
  std::vector<float> out(size_t(cast.rows * cast.columns), -7.0f);
  cpu::DequantizeArgs args;
  args.values = from.values.data();
  args.rows = cast.value_rows();
  args.columns = args.values_row_stride = args.out_row_stride = cast.value_columns();
  args.recipe = cast.recipe;
  args.scales = {from.scales.data(), cast.format, 0, cast.grid_columns(), 1, 0};
  args.out = out.data();
  cpu::dequantize(pool, isa, args);
  std::vector<uint8_t> turned(out.size());
  cpu::TransposeBytesArgs turn;
  turn.source = from.values.data();
  turn.rows = cast.value_rows();
  turn.columns = turn.source_row_stride = cast.value_columns();
  turn.out = turned.data();
  turn.out_row_stride = cast.value_rows();
  cpu::transpose_bytes(pool, isa, turn);
  for (int64_t i = 0; i < turn.rows * turn.columns; i++) {
    const int64_t row = i / turn.columns, column = i % turn.columns;
    require(turned[size_t(column * turn.rows + row)] == from.values[size_t(i)],
            "a transposed byte");
  }
}

}  // namespace

void fuzz_casts(Input& input) {
  const Cast cast(input);
  const int64_t width = cast.type == cpu::FloatType::f32 ? 4 : 2;
  const auto source = any_values<uint8_t>(input, cast.rows * cast.columns * width);
  const Quantized expected = quantize(cast, source, pool_of(1), cpu::Isa::baseline);
  cpu::Pool& pool = any_pool(input);
  for (const cpu::Isa isa : cpu::available_isas()) {
    Quantized result = quantize(cast, source, pool, isa);
    require(same_bytes(result.values, expected.values), "values differ between instruction sets");
    require(same_bytes(result.scales, expected.scales), "scales differ between instruction sets");
    dequantize(cast, result, pool, isa);
  }
}

}  // namespace deepgemm::fuzz
