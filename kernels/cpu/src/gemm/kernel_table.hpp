// What one instruction set provides to the GEMM driver. The driver is compiled once for the
// baseline; everything that wants wide registers is reached through these pointers.
//
// Packed formats. K is cut into pairs of neighbours, padded with zeros to a multiple of 16:
//   A tile  [pair][row]  one `a_pair_bytes` element each, `rows` of the tile's own rows per pair
//   B panel [pair][col]  uint32: bf16 of the even k in the low half, of the odd k in the high half
//   scales  [block][row] for A, [block][col] for B, f32
#pragma once

#include <cstdint>

#include "deepgemm/cpu/gemm.hpp"

namespace deepgemm::cpu {

inline constexpr int64_t kGroupK = 16;  // K is packed in groups of this many elements
inline constexpr int64_t kPairsPerBlock = kScaleBlockK / 2;
inline constexpr int kMaxTileRows = 12;
inline constexpr int kMaxPanelCols = 32;

// Rows of e4m3 codes, K contiguous. Nothing past `k` bytes of a row is read.
struct CodeRows {
  const uint8_t* first;
  int64_t row_stride;  // bytes
  int rows;            // > 0
  int64_t k;           // > 0
};

struct TileProduct {
  const void* a;  // packed tile
  const float* a_scales;
  const uint32_t* b;  // packed panel
  const float* b_scales;
  int64_t pairs;  // a multiple of kGroupK / 2; only the last block may be short
  float* totals;  // [rows][panel_cols]
  bool first;     // totals start from zero instead of their present values
};

// The same with B still as rows of codes, packed on the way through the registers.
struct RowsProduct {
  const void* a;
  const float* a_scales;
  CodeRows b;
  const float* b_scales;
  uint32_t* packed;  // where the packed panel goes, when it is kept
  float* totals;
  bool first;
};

// Writes a finished tile, or its leading columns, to D.
struct TileOutput {
  const float* totals;
  int rows;
  int cols;  // <= panel_cols
  void* d;
  int64_t d_row_stride;
  OutType out;
  bool accumulate;
};

struct KernelTable {
  int tile_rows;   // most rows of an A tile, <= kMaxTileRows
  int panel_cols;  // columns of a B panel, <= kMaxPanelCols
  int a_pair_bytes;
  void (*pack_tile)(const CodeRows& source, void* packed);
  void (*multiply[kMaxTileRows + 1])(const TileProduct& product);  // by rows; [0] unused
  void (*multiply_rows[kMaxTileRows + 1])(const RowsProduct& product);
  void (*multiply_rows_and_pack[kMaxTileRows + 1])(const RowsProduct& product);
  void (*store)(const TileOutput& output);
};

const KernelTable& baseline_kernels();
const KernelTable& avx2_kernels();
const KernelTable& avx512_kernels();
const KernelTable& avx512_bf16_kernels();
const KernelTable& neon_kernels();

// `isa` must be available on this machine.
const KernelTable& kernels_for(Isa isa);

}  // namespace deepgemm::cpu
