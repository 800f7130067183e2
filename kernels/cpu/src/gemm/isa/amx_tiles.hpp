// Tile registers: which holds what, and the product of one step of K.
//
// A tile of D is up to 32 rows by 32 columns: four accumulators of 16 x 16. A step is 32 of K.
#pragma once

#include <immintrin.h>

#include <cstdint>

namespace deepgemm::cpu {
namespace {

inline constexpr int kTileSide = 16;      // rows, and f32 columns, of a tile register
inline constexpr int64_t kTileLine = 64;  // bytes of a row of a tile register
inline constexpr int kSums = 0;           // to 3: [rows / 16][columns / 16]
inline constexpr int kLeft = 4;           // to 5: A, rows x 16 pairs
inline constexpr int kRight = 6;          // to 7: B, 16 pairs x columns

struct alignas(64) TileConfig {
  uint8_t palette = 1;
  uint8_t start_row = 0;
  uint8_t reserved[14] = {};
  uint16_t row_bytes[16] = {};
  uint8_t rows[16] = {};
};
static_assert(sizeof(TileConfig) == 64);

// The tile registers belong to this thread while an object lives. With up to 16 rows those of the
// second half stay unconfigured.
class Tiles {
 public:
  explicit Tiles(int rows) : halves_(rows > kTileSide ? 2 : 1) {
    TileConfig config;
    const auto set = [&](int tile, int tile_rows) {
      config.rows[tile] = static_cast<uint8_t>(tile_rows);
      config.row_bytes[tile] = tile_rows > 0 ? kTileLine : 0;
    };
    for (int half = 0; half < halves_; ++half) {
      const int left = rows - half * kTileSide;
      const int tile_rows = left < kTileSide ? left : kTileSide;
      set(kSums + 2 * half, tile_rows);
      set(kSums + 2 * half + 1, tile_rows);
      set(kLeft + half, tile_rows);
      set(kRight + half, kTileSide);
    }
    set(kRight + 1, kTileSide);
    // The intrinsic tells the compiler of the first eight bytes alone.
    __asm__ volatile("" : : "r"(&config) : "memory");
    _tile_loadconfig(&config);
  }
  ~Tiles() { _tile_release(); }
  Tiles(const Tiles&) = delete;
  Tiles& operator=(const Tiles&) = delete;

  void clear() const {
    _tile_zero(0);
    _tile_zero(1);
    if (halves_ == 1) return;
    _tile_zero(2);
    _tile_zero(3);
  }

  // The intrinsics do not tell the compiler that they read memory.
  void multiply(const uint32_t* a, const uint32_t* b) const {
    constexpr int64_t kPanelLine = 2 * kTileLine;
    __asm__ volatile("" ::: "memory");
    _tile_loadd(6, b, kPanelLine);
    _tile_loadd(4, a, kTileLine);
    _tile_dpbf16ps(0, 4, 6);
    _tile_loadd(7, b + kTileSide, kPanelLine);
    _tile_dpbf16ps(1, 4, 7);
    if (halves_ == 1) return;
    _tile_loadd(5, a + kTileSide * kTileSide, kTileLine);
    _tile_dpbf16ps(2, 5, 6);
    _tile_dpbf16ps(3, 5, 7);
  }

  // To [row][32].
  void store(float* sums) const {
    constexpr int64_t kLine = 2 * kTileLine;
    _tile_stored(0, sums, kLine);
    _tile_stored(1, sums + kTileSide, kLine);
    if (halves_ == 2) {
      _tile_stored(2, sums + 2 * kTileSide * kTileSide, kLine);
      _tile_stored(3, sums + 2 * kTileSide * kTileSide + kTileSide, kLine);
    }
    __asm__ volatile("" ::: "memory");
  }

 private:
  const int halves_;
};

}  // namespace
}  // namespace deepgemm::cpu
