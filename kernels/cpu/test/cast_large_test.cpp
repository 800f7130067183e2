// Values that go past the caches: a large matrix has the codes and scales that its bands have when
// they are quantised one by one, which is small enough to be stored in the ordinary way.
#include <cstdlib>
#include <cstring>
#include <memory>

#include "cast_fixture.hpp"

namespace deepgemm::cpu::test {
namespace {

constexpr int64_t kRows = 643;  // the last band is partial
constexpr int64_t kColumns = 8192 - 70;
constexpr int64_t kStride = 8192;
constexpr int64_t kBand = 128;
constexpr int64_t kLine = 64;

using Lines = std::unique_ptr<uint8_t, decltype(&std::free)>;

Lines poisoned_lines(int64_t bytes) {
  const auto rounded = static_cast<size_t>((bytes + kLine - 1) / kLine * kLine);
  Lines lines(static_cast<uint8_t*>(std::aligned_alloc(kLine, rounded)), std::free);
  std::memset(lines.get(), kPoison, rounded);
  return lines;
}

FloatArray draw_source(FloatType type, std::mt19937_64& random) {
  FloatArray source(type, kRows * kStride);
  for (int64_t row = 0; row < kRows; ++row) {
    const bool special = row / kBand == 2;  // one band holds NaN and infinities
    // Few draws are enough to tell blocks apart, and the test stays short.
    float drawn[61];
    for (float& value : drawn) value = draw_value(random, special);
    for (int64_t k = 0; k < kColumns; ++k) source.set(row * kStride + k, drawn[k % 61]);
  }
  return source;
}

struct Result {
  Lines values;
  GridStorage scales;
  Result(ScaleRecipe recipe)
      : values(poisoned_lines(kRows * kStride)),
        scales(ScaleFormat::f32, 1, grid_of(recipe, kRows, kColumns), false) {}
};

void quantize_band(const Machine& m, FloatArray& source, ScaleRecipe recipe, Result& out,
                   int64_t first, int64_t rows) {
  const int64_t element = source.type() == FloatType::f32 ? 4 : 2;
  QuantizeArgs args;
  args.source = static_cast<const char*>(source.data()) + first * kStride * element;
  args.source_type = source.type();
  args.rows = rows;
  args.columns = kColumns;
  args.source_row_stride = kStride;
  args.values = out.values.get() + first * kStride;
  args.values_row_stride = kStride;
  args.recipe = recipe;
  args.scales = out.scales.grid;
  const int64_t grid_row = recipe == ScaleRecipe::row_1x128 ? first : first / kBand;
  args.scales.data = static_cast<float*>(args.scales.data) + grid_row * out.scales.grid.row_stride;
  quantize(m.pool, m.isa, args);
}

void test_large(const Machine& m, std::mt19937_64& random) {
  for (const FloatType type : {FloatType::f32, FloatType::bf16}) {
    FloatArray source = draw_source(type, random);
    for (const ScaleRecipe recipe : {ScaleRecipe::row_1x128, ScaleRecipe::block_128x128}) {
      Result whole(recipe), bands(recipe);
      quantize_band(m, source, recipe, whole, 0, kRows);
      for (int64_t row = 0; row < kRows; row += kBand) {
        quantize_band(m, source, recipe, bands, row, std::min(kBand, kRows - row));
      }
      const auto bytes = static_cast<size_t>(kRows * kStride);
      checkf(std::memcmp(whole.values.get(), bands.values.get(), bytes) == 0,
             "%s: values of recipe %d, type %d", isa_name(m.isa), static_cast<int>(recipe),
             static_cast<int>(type));
      checkf(whole.scales.bytes == bands.scales.bytes, "%s: scales of recipe %d, type %d",
             isa_name(m.isa), static_cast<int>(recipe), static_cast<int>(type));
    }
  }
}

const Case kLarge("a matrix of megabytes is quantised as its bands are",
                  [] { for_each_machine(test_large); });

}  // namespace
}  // namespace deepgemm::cpu::test
