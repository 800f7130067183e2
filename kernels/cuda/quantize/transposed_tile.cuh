// A tile of bytes on its way to the transposed matrix, in shared memory.
#pragma once

#include "base/types.cuh"

namespace deepgemm {

// Column c of the source is a row of kRows bytes here. Its 16-byte units change places with c / 16,
// so that threads whose columns are 16 apart write to different banks.
template <int kRows, int kColumns>
struct alignas(16) TransposedTile {
  static constexpr u32 kUnits = kRows / 16;  // per column
  static_assert(kRows % 128 == 0, "units change places among eight");

  u8 bytes[kColumns * kRows];

  static DEEPGEMM_ANYWHERE u32 offset(u32 column, u32 unit) {
    return column * kRows + (unit ^ (column / 16 & 7)) * 16;
  }

  // The bytes of rows 4 * quad and the three after it.
  DEEPGEMM_ANYWHERE void put(u32 column, u32 quad, u32 word) {
    *reinterpret_cast<u32*>(bytes + offset(column, quad / 4) + quad % 4 * 4) = word;
  }
};

#if defined(__CUDACC__)
// Four words of four bytes, one per row, become four words, one per column.
DEEPGEMM_DEVICE void transpose_4x4(u32 (&words)[4]) {
  const u32 low_ab = __byte_perm(words[0], words[1], 0x5140);
  const u32 high_ab = __byte_perm(words[0], words[1], 0x7362);
  const u32 low_cd = __byte_perm(words[2], words[3], 0x5140);
  const u32 high_cd = __byte_perm(words[2], words[3], 0x7362);
  words[0] = __byte_perm(low_ab, low_cd, 0x5410);
  words[1] = __byte_perm(low_ab, low_cd, 0x7632);
  words[2] = __byte_perm(high_ab, high_cd, 0x5410);
  words[3] = __byte_perm(high_ab, high_cd, 0x7632);
}

// Writes the tile to `out`, where column 0 of the tile begins; a column holds `rows` bytes that
// exist, and `columns` of the columns do. Aligned: rows and addresses are multiples of 16.
template <bool kAligned, int kThreads, int kRows, int kColumns>
DEEPGEMM_DEVICE void store_transposed(const TransposedTile<kRows, kColumns>& tile, u8* out,
                                      i64 stride, u32 rows, u32 columns) {
  using Tile = TransposedTile<kRows, kColumns>;
#pragma unroll
  for (u32 i = 0; i < kColumns * Tile::kUnits / kThreads; ++i) {
    const u32 index = i * kThreads + threadIdx.x;
    const u32 column = index / Tile::kUnits;
    const u32 unit = index % Tile::kUnits;
    if (column >= columns || unit * 16 >= rows) continue;
    const uint4 bytes = *reinterpret_cast<const uint4*>(tile.bytes + Tile::offset(column, unit));
    u8* to = out + column * stride + unit * 16;
    if constexpr (kAligned) {
      *reinterpret_cast<uint4*>(to) = bytes;
    } else {
      const u32 words[4] = {bytes.x, bytes.y, bytes.z, bytes.w};
#pragma unroll
      for (u32 b = 0; b < 16; ++b) {
        if (unit * 16 + b < rows) to[b] = static_cast<u8>(words[b / 4] >> b % 4 * 8);
      }
    }
  }
}
#endif

}  // namespace deepgemm
