// AMX bf16: 16 x 16 x 32 products in tile registers. Everything around them, and products of few
// rows over plain weights, is AVX-512.
//
// A packed tile is [step of 32 K][row][16 pairs]; the last step has 8 pairs when K ends there. A
// packed panel is what every instruction set uses, and what a tile register of B wants to see.
#include "gemm/isa/amx_tiles.hpp"
#include "gemm/isa/avx512_bf16_hooks.hpp"
#include "gemm/kernel/table.hpp"

namespace deepgemm::cpu {
namespace {

using Hooks = Avx512Bf16Hooks;
using V = Vectors<Hooks>;

constexpr int kRows = 2 * kTileSide;
constexpr int kCols = V::kCols;
constexpr int64_t kStepPairs = kTileSide;
constexpr int kGroupWords = V::kGroupPairs * kCols;
static_assert(kCols == 2 * kTileSide && kRows <= kMaxTileRows);

// ---- A

void pack_row(__m512i codes, int64_t pairs, uint32_t* first, uint32_t* second) {
  // Expanding takes the low and the high eight of every 16 codes apart: bring the first 32 codes
  // into the low ones.
  const __m512i order = _mm512_setr_epi64(0, 4, 1, 5, 2, 6, 3, 7);
  __m512i low, high;
  Hooks::expand(_mm512_permutexvar_epi64(order, codes), low, high);
  const auto bytes = [](int64_t count) { return static_cast<size_t>(count) * sizeof(uint32_t); };
  std::memcpy(first, &low, bytes(pairs < kStepPairs ? pairs : kStepPairs));
  if (pairs > kStepPairs) std::memcpy(second, &high, bytes(pairs - kStepPairs));
}

void pack_tile(const CodeRows& source, void* packed) {
  constexpr int64_t kVector = 64;
  uint32_t* out = static_cast<uint32_t*>(packed);
  const int64_t padded = (source.k + kGroupK - 1) / kGroupK * kGroupK;
  for (int64_t k = 0; k < padded; k += kVector, out += kVector / 2 * source.rows) {
    const int64_t pairs = (padded - k < kVector ? padded - k : kVector) / 2;
    const int64_t codes_left = source.k - k < kVector ? source.k - k : kVector;
    const __mmask64 valid = ~uint64_t{0} >> (kVector - codes_left);
    // Distance between rows within the first and the second step.
    const int64_t line = pairs < kStepPairs ? pairs : kStepPairs;
    const int64_t second_line = pairs - line;
    for (int r = 0; r < source.rows; ++r) {
      const uint8_t* from = source.first + r * source.row_stride + k;
      pack_row(_mm512_maskz_loadu_epi8(valid, from), pairs, out + r * line,
               out + source.rows * line + r * second_line);
    }
  }
}

// ---- one block of K

// A step of 8 pairs, completed with zeros.
[[gnu::noinline]] void multiply_half_step(const Tiles& tiles, const uint32_t* a, int rows,
                                          const uint32_t* b) {
  constexpr int64_t kPairs = kStepPairs / 2;
  alignas(64) uint32_t whole_a[kRows * kStepPairs] = {};
  alignas(64) uint32_t whole_b[kStepPairs * kCols] = {};
  for (int r = 0; r < rows; ++r) {
    std::memcpy(whole_a + r * kStepPairs, a + r * kPairs, kPairs * sizeof(uint32_t));
  }
  std::memcpy(whole_b, b, kPairs * kCols * sizeof(uint32_t));
  tiles.multiply(whole_a, whole_b);
}

// totals (+)= the block's sums * scales.
void promote(const float* sums, int rows, const float* a_scales, const float* b_scales,
             float* totals, bool first) {
  const __m512 b0 = V::load(b_scales), b1 = V::load(b_scales + V::kLanes);
  for (int r = 0; r < rows; ++r, sums += kCols, totals += kCols) {
    const __m512 scale0 = b0 * a_scales[r], scale1 = b1 * a_scales[r];
    const __m512 before0 = first ? __m512{} : V::load(totals);
    const __m512 before1 = first ? __m512{} : V::load(totals + V::kLanes);
    V::store(totals, Hooks::fma(V::load(sums), scale0, before0));
    V::store(totals + V::kLanes, Hooks::fma(V::load(sums + V::kLanes), scale1, before1));
  }
}

// Walks over A, the scales and the totals of a product, a block of K at a time.
class Blocks {
 public:
  template <class Product>
  explicit Blocks(const Product& product)
      : tiles_(product.rows),
        rows_(product.rows),
        a_(static_cast<const uint32_t*>(product.a)),
        a_scales_(product.a_scales),
        b_scales_(product.b_scales),
        totals_(product.totals),
        first_(product.first) {}

  // `b`: the packed panel of this block.
  void multiply(const uint32_t* b, int64_t pairs) {
    alignas(64) float sums[kRows * kCols];
    tiles_.clear();
    int64_t pair = 0;
    for (; pair + kStepPairs <= pairs; pair += kStepPairs) {
      tiles_.multiply(a_ + pair * rows_, b + pair * kCols);
    }
    if (pair < pairs) multiply_half_step(tiles_, a_ + pair * rows_, rows_, b + pair * kCols);
    tiles_.store(sums);
    promote(sums, rows_, a_scales_, b_scales_, totals_, first_);
    a_ += pairs * rows_;
    a_scales_ += rows_;
    b_scales_ += kCols;
    first_ = false;
  }

 private:
  const Tiles tiles_;
  const int rows_;
  const uint32_t* a_;
  const float* a_scales_;
  const float* b_scales_;
  float* totals_;
  bool first_;
};

// ---- the entries of the table

void multiply_packed(const TileProduct& product) {
  Blocks blocks(product);
  const uint32_t* b = product.b;
  for (int64_t left = product.pairs; left > 0; left -= kPairsPerBlock) {
    blocks.multiply(b, left < kPairsPerBlock ? left : kPairsPerBlock);
    b += kPairsPerBlock * kCols;
  }
}

// Two blocks of packed weights: while the tiles multiply one, the next is decoded.
template <class Source, bool kKeep>
void multiply_codes(const CodesProduct& product) {
  constexpr int kBlockWords = V::kGroupsPerBlock * kGroupWords;
  alignas(64) uint32_t ring[kKeep ? 1 : 2 * kBlockWords];
  Source source(product.b);
  Blocks blocks(product);
  const int64_t groups = source.groups();
  for (int64_t g = 0, block = 0; g < groups; ++block) {
    uint32_t* packed =
        kKeep ? product.packed + block * kBlockWords : ring + (block & 1) * kBlockWords;
    const int64_t end = g + V::kGroupsPerBlock < groups ? g + V::kGroupsPerBlock : groups;
    const int64_t pairs = (end - g) * V::kGroupPairs;
    uint32_t* to = packed;
    for (; g < end; ++g, to += kGroupWords) {
      source.advance(g);
      for (int v = 0; v < V::kVectors; ++v) {
        V::Bytes codes[4];
        source.codes(g, v, codes);
        Pack<Hooks>::decode_group(codes, to + v * V::kLanes, kCols);
      }
    }
    blocks.multiply(packed, pairs);
  }
}

constexpr KernelTable make_amx_table() {
  KernelTable table{};
  table.tile_rows = kRows;
  table.panel_cols = kCols;
  table.a_pair_bytes = sizeof(uint32_t);
  table.pack_tile = &pack_tile;
  table.store = &Store<Hooks>::tile;
  table.stream.pack = &Stream<Hooks>::pack;
  fill_stream<Hooks>(table.stream);
  for (int rows = 1; rows <= kRows; ++rows) {
    table.multiply[rows] = &multiply_packed;
    table.of_rows.multiply[rows] = &multiply_codes<RowsSource<Hooks>, false>;
    table.of_rows.multiply_and_pack[rows] = &multiply_codes<RowsSource<Hooks>, true>;
    table.of_panels.multiply[rows] = &multiply_codes<PanelSource<Hooks>, false>;
    table.of_panels.multiply_and_pack[rows] = &multiply_codes<PanelSource<Hooks>, true>;
  }
  return table;
}

}  // namespace

const KernelTable& amx_kernels() {
  static constexpr KernelTable table = make_amx_table();
  return table;
}

}  // namespace deepgemm::cpu
