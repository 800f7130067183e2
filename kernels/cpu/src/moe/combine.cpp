// combine(): the weighted sum of each token's expert rows, in the fixed order of j.
#include "cast/kernels.hpp"
#include "cast/scale_grid.hpp"
#include "cast/tiles.hpp"
#include "moe/kernels.hpp"

namespace deepgemm::cpu {
namespace {

constexpr int64_t kSpan = 2048;  // f32 sums that stay in the first-level cache
constexpr int64_t kTileTokens = 4;

struct CombineKernels {
  void (*add_weighted)(const void* row, float weight, int64_t count, float* sum);
  void (*add)(const void* row, int64_t count, float* sum);
  void (*convert)(const void* source, int64_t count, void* out);
};

void combine_span(const CombineKernels& kernels, const CombineArgs& args, int64_t token,
                  int64_t column, int64_t count) {
  alignas(64) float sum[kSpan];
  std::fill_n(sum, count, 0.0f);
  for (int64_t slot = token * args.top_k; slot < (token + 1) * args.top_k; ++slot) {
    const int64_t row = args.destination[slot];
    if (row < 0 || row >= args.row_capacity) continue;
    const int64_t at = row * args.rows_row_stride + column;
    kernels.add_weighted(static_cast<const char*>(args.rows) + at * element_bytes(args.rows_type),
                         args.weights[slot], count, sum);
  }
  if (args.addend != nullptr) {
    const int64_t at = token * args.addend_row_stride + column;
    kernels.add(static_cast<const char*>(args.addend) + at * element_bytes(args.addend_type), count,
                sum);
  }
  const int64_t at = token * args.out_row_stride + column;
  kernels.convert(sum, count, static_cast<char*>(args.out) + at * element_bytes(args.out_type));
}

}  // namespace

void combine(Pool& pool, Isa isa, const CombineArgs& args) {
  const MoeKernels& moe = moe_kernels(isa);
  const CombineKernels kernels{
      moe.add_weighted[static_cast<int>(args.rows_type)],
      moe.add[static_cast<int>(args.addend_type)],
      cast_kernels(isa).convert[static_cast<int>(FloatType::f32)][static_cast<int>(args.out_type)]};
  for_each_tile(pool, 1, args.tokens, args.columns, kTileTokens, kSpan, [&](const Tile& tile) {
    for (int64_t t = tile.row; t < tile.row + tile.rows; ++t) {
      combine_span(kernels, args, t, tile.column, tile.columns);
    }
  });
}

}  // namespace deepgemm::cpu
