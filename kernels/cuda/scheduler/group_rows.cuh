// The rows of D that belong to a group, for any group data whatever: what is out of range is cut
// off, so that no tile ever lies outside D. Plain arithmetic: the host's tests run this file.
#pragma once

#include "base/types.cuh"

namespace deepgemm {

struct GroupRows {
  u32 begin;
  u32 count;
};

// `value` brought into [least_value, most_value]; below 2^31.
DEEPGEMM_ANYWHERE u32 clamped(int value, u32 least_value, u32 most_value) {
  const u32 positive = value < 0 ? 0 : static_cast<u32>(value);
  return least(most(positive, least_value), most_value);
}

// Packed: from one offset to the next, of `rows` in all.
DEEPGEMM_ANYWHERE GroupRows packed_rows(int offset, int next_offset, u32 rows) {
  const u32 begin = clamped(offset, 0, rows);
  return {begin, clamped(next_offset, begin, rows) - begin};
}

// Masked: the first `size` of the group's `capacity`.
DEEPGEMM_ANYWHERE GroupRows masked_rows(int size, u32 group, u32 capacity) {
  return {group * capacity, clamped(size, 0, capacity)};
}

// How tiles are dealt when only the GPU knows how many there are.
enum class Streaming : u32 { kWhole, kTail, kAll };

// Tiles that the workers share along K: none, or the last incomplete round and the one before it,
// or all.
DEEPGEMM_ANYWHERE u32 streamed_of(Streaming streaming, u32 tiles, u32 workers) {
  const u32 rest = tiles % workers;
  if (streaming == Streaming::kWhole || tiles == 0) return 0;
  if (streaming == Streaming::kAll) return tiles;
  return rest == 0 ? 0 : least(tiles, rest + workers);
}

}  // namespace deepgemm
