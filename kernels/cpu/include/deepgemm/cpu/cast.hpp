// Casts between floating-point matrices and e4m3 with block scales.
//
// The rule, in f32 operations that a GPU repeats bit for bit (every operation rounds to nearest
// even, nothing is contracted into an FMA, subnormals are kept):
//
//   amax  = max |x| over the finite elements of the block     (0 for a block without any)
//   bound = max(amax, kAmaxFloor)
//   f32   : scale = bound / 448        inverse = 448 / bound  (two IEEE divisions per block)
//   ue8m0 : scale = the smallest power of two with 448 * scale >= bound, exactly
//           inverse = 1 / scale, exact
//   value = e4m3(x * inverse)
//
// `448 / bound` instead of `1 / scale` is one rounding fewer, and a multiplication per element
// instead of a division is what both kinds of device can afford; for amax >= 1e-4 the result equals
// DeepGEMM's per_token_cast and per_block_cast. e4m3() rounds to nearest even, subnormals exact,
// saturates at +-448 (infinities too) and maps NaN to 0x7f with the sign of the input.
//
// kAmaxFloor makes the scale of an all-zero block exactly 2^-63 in both formats, so that the
// product of any two scales is a normal f32 and no division by zero exists.
#pragma once

#include <cstdint>

#include "deepgemm/cpu/isa.hpp"
#include "deepgemm/cpu/pool.hpp"

namespace deepgemm::cpu {

inline constexpr float kE4m3Max = 448.0f;
inline constexpr float kAmaxFloor = 448.0f * 0x1p-63f;
inline constexpr int64_t kScaleBlock = 128;

enum class FloatType : uint8_t { f32, f16, bf16 };
enum class ScaleFormat : uint8_t { f32, ue8m0 };

// Which elements of an [R, C] matrix share a scale, and the grid of scales that follows.
enum class ScaleRecipe : uint8_t {
  row_1x128,      // grid [R, ceil(C / 128)]
  block_128x128,  // grid [ceil(R / 128), ceil(C / 128)]
  column_128x1,   // grid [ceil(R / 128), C]
};

// Cell (g, i, j) of the grid lies at data[g * group_stride + i * row_stride + j * column_stride],
// in elements of the format. k-major: row_stride = grid columns, column_stride = 1. mn-major:
// row_stride = 1, column_stride = grid rows rounded up to 4. Writers put zero into the rows from
// the grid's end up to `padded_rows`; set it to 0 where there are none.
struct ScaleGrid {
  void* data = nullptr;
  ScaleFormat format = ScaleFormat::f32;
  int64_t group_stride = 0;
  int64_t row_stride = 0;
  int64_t column_stride = 0;
  int64_t padded_rows = 0;
};

// Source [groups, rows, columns] -> values and scales. With `transpose` the values are
// [groups, columns, rows], and recipe and scales speak of that matrix.
struct QuantizeArgs {
  const void* source = nullptr;
  FloatType source_type = FloatType::f32;
  int64_t groups = 1;
  int64_t rows = 0;
  int64_t columns = 0;
  int64_t source_group_stride = 0;  // elements
  int64_t source_row_stride = 0;    // elements
  uint8_t* values = nullptr;
  int64_t values_group_stride = 0;  // bytes
  int64_t values_row_stride = 0;    // bytes
  ScaleRecipe recipe = ScaleRecipe::row_1x128;
  ScaleGrid scales;
  bool transpose = false;
};

// out = round(f32(value) * scale): one f32 multiplication, then one rounding to the output type
// (f16 overflows to infinity). e4m3 NaN and ue8m0 0xff give NaN.
struct DequantizeArgs {
  const uint8_t* values = nullptr;
  int64_t groups = 1;
  int64_t rows = 0;
  int64_t columns = 0;
  int64_t values_group_stride = 0;  // bytes
  int64_t values_row_stride = 0;    // bytes
  ScaleRecipe recipe = ScaleRecipe::row_1x128;
  ScaleGrid scales;  // read only
  void* out = nullptr;
  FloatType out_type = FloatType::f32;
  int64_t out_group_stride = 0;  // elements
  int64_t out_row_stride = 0;    // elements
};

// source [groups, rows, columns] -> out [groups, columns, rows], one byte per element.
struct TransposeBytesArgs {
  const uint8_t* source = nullptr;
  int64_t groups = 1;
  int64_t rows = 0;
  int64_t columns = 0;
  int64_t source_group_stride = 0;
  int64_t source_row_stride = 0;
  uint8_t* out = nullptr;
  int64_t out_group_stride = 0;
  int64_t out_row_stride = 0;
};

// Copies a grid of scales [groups, rows, columns] between any two stridings, zeroing the padding
// rows of `out`. Formats may be equal, or ue8m0 -> f32 (exact; code 0xff becomes NaN, code 0 the
// subnormal 2^-127). f32 -> ue8m0 is exact or refused, see relayout_scales.
struct RelayoutScalesArgs {
  ScaleGrid source;  // read only; its padded_rows are ignored
  ScaleGrid out;
  int64_t groups = 1;
  int64_t rows = 0;
  int64_t columns = 0;
};

// Contiguous arrays. Rounds to nearest even; a NaN stays a quiet NaN with its sign and the top of
// its payload; f16 overflows to infinity.
struct ConvertArgs {
  const void* source = nullptr;
  FloatType source_type = FloatType::f32;
  void* out = nullptr;
  FloatType out_type = FloatType::f32;
  int64_t count = 0;
};

void quantize(Pool& pool, Isa isa, const QuantizeArgs& args);
void dequantize(Pool& pool, Isa isa, const DequantizeArgs& args);
void transpose_bytes(Pool& pool, Isa isa, const TransposeBytesArgs& args);

// False when an f32 scale has no exact ue8m0 form (its cell is then 0xff); true otherwise.
bool relayout_scales(Pool& pool, Isa isa, const RelayoutScalesArgs& args);

// count codes -> count floats, contiguous.
void convert_scales(Pool& pool, Isa isa, const uint8_t* source, float* out, int64_t count);

void convert_floats(Pool& pool, Isa isa, const ConvertArgs& args);

}  // namespace deepgemm::cpu
