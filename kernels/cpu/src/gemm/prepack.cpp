#include "deepgemm/cpu/prepack.hpp"

#include <algorithm>
#include <cstring>

#include "gemm/plan.hpp"

namespace deepgemm::cpu {
namespace {

constexpr int64_t kQuad = 4;  // of K, and of rows that share 16 bytes
constexpr int64_t kQuadBytes = kPrepackedRows * kQuad;
constexpr int64_t kSegmentBytes = kQuad * kQuad;

int64_t panel_bytes(int64_t k) { return kPrepackedRows * round_up(k, kPrepackedK); }

// Where a row's four of K stand: two bytes at the offset, two more 8 bytes behind.
int64_t offset_of(int64_t row, int64_t k) {
  return k / kQuad * kQuadBytes + row / kQuad * kSegmentBytes + row % kQuad * 2;
}

void pack_panel(const PrepackArgs& args, int64_t panel) {
  const int64_t first = panel * kPrepackedRows;
  const int64_t rows = std::min(kPrepackedRows, args.rows - first);
  uint8_t* to = args.packed + panel * panel_bytes(args.k);
  if (rows < kPrepackedRows || args.k % kPrepackedK != 0) std::memset(to, 0, panel_bytes(args.k));
  for (int64_t k = 0; k < args.k; k += kQuad) {
    for (int64_t row = 0; row < rows; ++row) {
      uint8_t codes[kQuad] = {};
      const uint8_t* from = args.values + (first + row) * args.row_stride + k;
      std::memcpy(codes, from, static_cast<size_t>(std::min(kQuad, args.k - k)));
      std::memcpy(to + offset_of(row, k), codes, 2);
      std::memcpy(to + offset_of(row, k) + 8, codes + 2, 2);
    }
  }
}

}  // namespace

int64_t prepacked_bytes(int64_t rows, int64_t k) {
  return divide_up(rows, kPrepackedRows) * panel_bytes(k);
}

void prepack(Pool& pool, const PrepackArgs& args) {
  pool.parallel_for(divide_up(args.rows, kPrepackedRows),
                    [&](int64_t panel) { pack_panel(args, panel); });
}

void unpack(Pool& pool, const uint8_t* packed, int64_t rows, int64_t k, uint8_t* values,
            int64_t row_stride) {
  pool.parallel_for(rows, [&](int64_t row) {
    const uint8_t* panel = packed + row / kPrepackedRows * panel_bytes(k);
    for (int64_t at = 0; at < k; at += kQuad) {
      const uint8_t* from = panel + offset_of(row % kPrepackedRows, at);
      const uint8_t codes[kQuad] = {from[0], from[1], from[8], from[9]};
      std::memcpy(values + row * row_stride + at, codes,
                  static_cast<size_t>(std::min(kQuad, k - at)));
    }
  });
}

}  // namespace deepgemm::cpu
