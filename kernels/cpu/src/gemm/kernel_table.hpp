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
#include "deepgemm/cpu/prepack.hpp"

namespace deepgemm::cpu {

inline constexpr int64_t kGroupK = 16;  // K is packed in groups of this many elements
inline constexpr int64_t kPairsPerBlock = kScaleBlockK / 2;
inline constexpr int kMaxTileRows = 32;
inline constexpr int kMaxPanelCols = 32;
inline constexpr int kMaxStreamRows = 2;
inline constexpr int64_t kStreamK = 64;  // packed A of a stream is padded to this much of K

// Rows of e4m3 codes, K contiguous. Nothing past `k` bytes of a row is read.
struct CodeRows {
  const uint8_t* first;
  int64_t row_stride;  // bytes
  int rows;            // > 0
  int64_t k;           // > 0
};

struct TileProduct {
  int rows;
  const void* a;  // packed tile
  const float* a_scales;
  const uint32_t* b;  // packed panel
  const float* b_scales;
  int64_t pairs;  // a multiple of kGroupK / 2; only the last block may be short
  float* totals;  // [rows][panel_cols]
  bool first;     // totals start from zero instead of their present values
};

// The same with B still as codes, packed on the way through the registers: rows, or the part of a
// prepacked panel that begins at `b.first` and has `b.k` of K.
struct CodesProduct {
  int rows;
  const void* a;
  const float* a_scales;
  CodeRows b;
  const float* b_scales;
  uint32_t* packed;  // where the packed panel goes, when it is kept
  float* totals;
  bool first;
};

// Few rows times rows of codes, all of K at once.
struct StreamProduct {
  const void* a;          // packed by StreamKernels::pack
  const float* a_scales;  // [block][row]
  CodeRows b;
  const float* b_scales;  // [block][panel_cols]
  float* totals;          // [rows][panel_cols]
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

// By rows of the tile; [0] is unused.
struct CodesKernels {
  void (*multiply[kMaxTileRows + 1])(const CodesProduct& product);
  void (*multiply_and_pack[kMaxTileRows + 1])(const CodesProduct& product);
};

// Packed A takes 2 * a_pair_bytes for every 4 of K and row, K padded to kStreamK.
struct StreamKernels {
  void (*pack)(const CodeRows& source, void* packed);
  void (*multiply[kMaxStreamRows + 1])(const StreamProduct& product);  // by rows; [0] is unused
};

struct KernelTable {
  int tile_rows;   // most rows of an A tile, <= kMaxTileRows
  int panel_cols;  // columns of a B panel, <= kMaxPanelCols
  int a_pair_bytes;
  void (*pack_tile)(const CodeRows& source, void* packed);
  void (*multiply[kMaxTileRows + 1])(const TileProduct& product);  // by rows; [0] is unused
  CodesKernels of_rows;
  CodesKernels of_panels;
  StreamKernels stream;
  void (*store)(const TileOutput& output);
};

const KernelTable& baseline_kernels();
const KernelTable& avx2_kernels();
const KernelTable& avx512_kernels();
const KernelTable& avx512_bf16_kernels();
const KernelTable& amx_kernels();
const KernelTable& neon_kernels();

// `isa` must be available on this machine.
const KernelTable& kernels_for(Isa isa);

}  // namespace deepgemm::cpu
