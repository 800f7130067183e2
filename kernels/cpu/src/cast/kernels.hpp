// The row kernels behind the casts: one table per instruction set, all with the same bits.
#pragma once

#include <cstdint>

#include "deepgemm/cpu/cast.hpp"

namespace deepgemm::cpu {

// Columns that amax_blocks takes at once, and their blocks. A span of f32 fits the first-level
// cache.
inline constexpr int64_t kSpanColumns = 2048;
inline constexpr int64_t kSpanBlocks = kSpanColumns / kScaleBlock;

// Where a row's scales go: block b at element b * stride.
struct ScaleCursor {
  void* data;
  ScaleFormat format;
  int64_t stride;
};

// Rows that share their blocks' scales, and where their codes go.
struct BlockRows {
  const char* source;
  int64_t row_bytes;
  int64_t rows;
  int64_t count;
  uint8_t* values;
  int64_t values_row_stride;
};

// How codes are made and stored. The source of `special` may hold NaN, infinities or values beyond
// 448 once scaled. `past` stores past the caches, which spares memory the reading of lines that are
// then overwritten; its values begin at a cache line, and stream_fence() has to follow.
enum class Encoding : uint8_t { cached, past, special };

// Source pointers are to elements of the row's type, arrays of kernels are indexed by FloatType.
struct CastKernels {
  // `encoding` is cached or past: the kernel finds out itself whether the source is special.
  void (*quantize_row[3])(const void* source, int64_t count, uint8_t* values, ScaleCursor scales,
                          Encoding encoding);
  // amax[b] = largest finite |x|, as an f32 pattern, over `rows` rows of the b-th 128 columns;
  // count <= kSpanColumns, and amax has room for kSpanBlocks. Returns whether NaN or an infinity
  // was seen.
  bool (*amax_blocks[3])(const void* source, int64_t row_bytes, int64_t rows, int64_t count,
                         uint32_t* amax);
  // One inverse per 128 columns. What lies `ahead` elements behind the source is fetched meanwhile.
  void (*encode_blocks[3])(const BlockRows& rows, const float* inverses, Encoding encoding,
                           int64_t ahead);
  // Scales and their inverses; the arrays have room for a multiple of 16 elements.
  void (*scale_blocks)(const uint32_t* amax, int64_t count, ScaleFormat format, float* scales,
                       float* inverses);
  // Per column: amax[i] = max(amax[i], finite |source[i]|). Returns whether others were seen.
  bool (*amax_columns[3])(const void* source, int64_t count, uint32_t* amax);
  void (*encode_columns[3])(const void* source, int64_t count, const float* inverse, bool special,
                            uint8_t* values);
  void (*decode_row[3])(const uint8_t* values, int64_t count, float scale, void* out);
  void (*decode_columns[3])(const uint8_t* values, int64_t count, const float* scales, void* out);
  void (*convert[3][3])(const void* source, int64_t count, void* out);  // [source][out]
  // out[c * out_stride + r] = source[r * source_stride + c]
  void (*transpose)(const uint8_t* source, int64_t source_stride, uint8_t* out, int64_t out_stride,
                    int64_t rows, int64_t columns);
};

const CastKernels& cast_kernels(Isa isa);

// Orders what was stored past the caches before whatever this thread publishes next.
inline void stream_fence() {
#if defined(__SSE2__)
  __builtin_ia32_sfence();
#endif
}

extern const CastKernels kCastKernelsBaseline;
extern const CastKernels kCastKernelsAvx2;
extern const CastKernels kCastKernelsAvx512;
extern const CastKernels kCastKernelsAvx512Bf16;

}  // namespace deepgemm::cpu
