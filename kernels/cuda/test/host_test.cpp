// The parts of the CUDA sources that are plain arithmetic, run on the host: prints "ok   name" or
// "FAIL name" per case.
#include <cstdio>
#include <map>
#include <random>
#include <set>
#include <vector>

#include "pipeline/ring.cuh"
#include "quantize/transposed_tile.cuh"
#include "scheduler/group_rows.cuh"
#include "scheduler/group_work.cuh"
#include "scheduler/k_slice.cuh"
#include "scheduler/tile_order.cuh"
#include "scheduler/work_list.cuh"
#include "tma/swizzle.cuh"

namespace deepgemm {
namespace {

bool all_fine = true;

void report(const char* name, bool fine) {
  std::printf("%s %s\n", fine ? "ok  " : "FAIL", name);
  all_fine = all_fine && fine;
}

Divisor divisor_of(u32 value) {
  u32 shift = 31;
  while (u64{1} << (shift - 31) < value) ++shift;
  return {static_cast<u32>(((u64{1} << shift) + value - 1) / value), shift};
}

bool quotients_are_exact() {
  std::mt19937 random(11);
  const auto fits = [](u32 number, u32 value) {
    return number >= 1u << 31 || divisor_of(value).quotient(number) == number / value;
  };
  for (int i = 0; i < 300000; ++i) {
    const u32 value = 1 + (random() >> 1 >> random() % 31);
    const u32 multiple = static_cast<u32>(random() % ((1u << 31) / value + 1)) * value;
    const u32 number = random() >> 1;
    if (!fits(number, value) || !fits(multiple, value)) return false;
    if (multiple > 0 && !fits(multiple - 1, value)) return false;
  }
  return fits(0x7fffffff, 1) && fits(0x7fffffff, 0x7fffffff) && fits(0x7ffffffe, 0x7fffffff);
}

std::vector<std::vector<Segment>> deal(const WorkShape& shape) {
  std::vector<std::vector<Segment>> dealt(shape.workers);
  for (u32 worker = 0; worker < shape.workers; ++worker) {
    WorkList list(shape, divisor_of(shape.k_blocks), worker);
    for (Segment segment; list.next(segment);) dealt[worker].push_back(segment);
  }
  return dealt;
}

// Every K block of every tile once, one owner per tile.
bool covers_everything_once(const WorkShape& shape) {
  std::map<std::pair<u32, u32>, int> seen;
  std::map<u32, int> owners;
  for (const auto& segments : deal(shape)) {
    for (const Segment& segment : segments) {
      if (segment.k_begin >= segment.k_end || segment.k_end > shape.k_blocks) return false;
      for (u32 k = segment.k_begin; k < segment.k_end; ++k) ++seen[{segment.tile, k}];
      owners[segment.tile] += segment.owns_tile();
    }
  }
  if (seen.size() != static_cast<u64>(shape.tiles) * shape.k_blocks) return false;
  for (const auto& [unit, count] : seen) {
    if (count != 1 || unit.first >= shape.tiles) return false;
  }
  for (const auto& [tile, count] : owners) {
    if (count != 1) return false;
  }
  return owners.size() == shape.tiles;
}

// What an owner asks for is what the others owe; nobody owes twice or waits before paying.
bool partial_sums_meet(const WorkShape& shape) {
  const auto dealt = deal(shape);
  std::map<u32, std::set<u32>> owed;  // by tile
  for (u32 worker = 0; worker < shape.workers; ++worker) {
    int debts = 0;
    bool waited = false;
    for (const Segment& segment : dealt[worker]) {
      if (segment.owns_tile()) {
        waited = waited || !segment.is_whole();
      } else {
        owed[segment.tile].insert(worker);
        if (++debts > 1 || waited) return false;
      }
    }
  }
  for (u32 worker = 0; worker < shape.workers; ++worker) {
    for (const Segment& segment : dealt[worker]) {
      if (!segment.owns_tile() || segment.is_whole()) continue;
      std::set<u32> asked;
      const u32 first = shape.worker_of(segment.tile * shape.k_blocks);
      for (u32 other = first; other < worker; ++other) {
        if (shape.first_unit(other) != shape.first_unit(other + 1)) asked.insert(other);
      }
      if (asked != owed[segment.tile]) return false;
      owed.erase(segment.tile);
    }
  }
  return owed.empty();
}

template <class Check>
bool holds_for_random_shapes(Check check) {
  std::mt19937 random(7);
  const auto upto = [&](u32 most) { return 1 + static_cast<u32>(random() % most); };
  for (int i = 0; i < 3000; ++i) {
    const u32 tiles = upto(60);
    const u32 streamed = static_cast<u32>(random() % (tiles + 1));
    if (!check(WorkShape::of(tiles, upto(40), upto(40), streamed))) return false;
  }
  return true;
}

bool shares_are_even(const WorkShape& shape) {
  for (u32 worker = 0; worker < shape.workers; ++worker) {
    const u32 share = shape.first_unit(worker + 1) - shape.first_unit(worker);
    const u32 least_share = shape.streamed_tiles * shape.k_blocks / shape.workers;
    if (share != least_share && share != least_share + 1) return false;
  }
  return true;
}

bool every_place_has_one_tile() {
  for (u32 left = 1; left < 24; ++left) {
    for (u32 right = 1; right < 24; ++right) {
      for (u32 band = 1; band <= left; ++band) {
        const u32 last = left % band == 0 ? band : left % band;
        const TileGrid grid = {
            left, right, band, divisor_of(band * right), divisor_of(band), divisor_of(last)};
        std::set<std::pair<u32, u32>> places;
        for (u32 tile = 0; tile < left * right; ++tile) {
          const TilePlace place = place_of_tile(tile, left, right, band);
          const TilePlace same = grid.place_of(tile);
          if (same.left != place.left || same.right != place.right) return false;
          if (place.left >= left || place.right >= right) return false;
          places.insert({place.left, place.right});
        }
        if (places.size() != static_cast<u64>(left) * right) return false;
      }
    }
  }
  return true;
}

// As the copy engine's manual draws it: unit u of row r lies where u xor a function of r says.
template <int kSpan>
bool swizzle_is_the_copy_engines() {
  constexpr u32 kUnits = kSpan / 16;
  constexpr u32 kRowsPerLine = 128 / kSpan;
  for (u32 row = 0; row < 64; ++row) {
    for (u32 unit = 0; unit < kUnits; ++unit) {
      const u32 expected = row * kSpan + (unit ^ (row / kRowsPerLine % kUnits)) * 16;
      if (swizzled<kSpan>(row * kSpan + unit * 16) != expected) return false;
    }
  }
  return true;
}

// Threads side by side write words of columns 16 apart, four neighbours down the rows.
bool transposed_tile_has_no_bank_conflict() {
  using Tile = TransposedTile<128, 128>;
  static Tile tile;
  std::set<u32> places;
  for (u32 column = 0; column < 128; ++column) {
    for (u32 unit = 0; unit < Tile::kUnits; ++unit) places.insert(Tile::offset(column, unit));
  }
  for (u32 quad = 0; quad < 32; ++quad) tile.put(77, quad, quad * 0x01010101u);
  for (u32 row = 0; row < 128; ++row) {
    if (tile.bytes[Tile::offset(77, row / 16) + row % 16] != row / 4) return false;
  }
  for (u32 step = 0; step < 16; ++step) {
    std::set<u32> banks;
    for (u32 lane = 0; lane < 32; ++lane) {
      const u32 quad = lane / 8;
      banks.insert((Tile::offset(lane % 8 * 16 + step, quad / 4) / 4 + quad % 4) % 32);
    }
    if (banks.size() != 32) return false;
  }
  return places.size() == 128 * Tile::kUnits && *places.rbegin() + 16 == sizeof(tile.bytes);
}

// The eight rows of a stmatrix tile fall into all 32 banks once.
template <int kSpan>
bool columns_have_no_bank_conflict() {
  for (u32 row = 0; row < 64; row += 8) {
    for (u32 unit = 0; unit < kSpan / 16; ++unit) {
      std::set<u32> groups;
      for (u32 r = row; r < row + 8; ++r) {
        groups.insert(swizzled<kSpan>(r * kSpan + unit * 16) % 128);
      }
      if (groups.size() != 8) return false;
    }
  }
  return true;
}

// Whatever the offsets and sizes are, a group's rows lie in D.
bool rows_of_groups_stay_inside() {
  const int values[] = {-2147483647 - 1, -1, 0, 1, 99, 100, 101, 2147483647};
  for (int first : values) {
    for (int second : values) {
      const GroupRows rows = packed_rows(first, second, 100);
      if (rows.begin > 100 || rows.count > 100 - rows.begin) return false;
    }
    if (masked_rows(first, 3, 100).begin != 300 || masked_rows(first, 3, 100).count > 100) {
      return false;
    }
  }
  const GroupRows good = packed_rows(20, 70, 100);
  return good.begin == 20 && good.count == 50 && masked_rows(42, 0, 100).count == 42;
}

// Every column of a slice is in one step, with those of its block of 128.
bool steps_cover_slices_of_k() {
  for (u32 shift = 0; shift < 16; ++shift) {
    for (u32 size = 1; size < 700; ++size) {
      const SliceOfK slice = {size, shift};
      std::vector<int> seen(size, 0);
      const u32 steps = ceil_div(size, 128u) * (shift == 0 ? 1 : 2);
      for (u32 step = 0; step < steps; ++step) {
        const u32 load = shift == 0 ? step : step / 2 + step % 2;
        const Columns columns = slice.columns_of(step);
        for (int c = most(columns.begin, 0); c < least(columns.end, 128); ++c) {
          const int column = static_cast<int>(load * 128) + c - static_cast<int>(shift);
          if (column < 0 || column >= static_cast<int>(size)) return false;
          if (static_cast<u32>(column) / 128 != (shift == 0 ? step : step / 2)) return false;
          ++seen[column];
        }
      }
      for (int count : seen) {
        if (count != 1) return false;
      }
    }
  }
  return true;
}

bool bytes_outside_become_zero() {
  for (int begin = -5; begin < 9; ++begin) {
    for (int end = begin; end < 9; ++end) {
      u32 expected = 0;
      for (int i = 0; i < 4; ++i) expected |= i >= begin && i < end ? 0xffu << (8 * i) : 0;
      if (bytes_between(0xffffffffu, begin, end) != expected) return false;
    }
  }
  return true;
}

bool the_last_rounds_are_streamed() {
  for (u32 tiles = 0; tiles < 300; ++tiles) {
    const u32 tail = streamed_of(Streaming::kTail, tiles, 66);
    if (tail > tiles || (tail != tiles && (tiles - tail) % 66 != 0)) return false;
    if (streamed_of(Streaming::kWhole, tiles, 66) != 0) return false;
    if (streamed_of(Streaming::kAll, tiles, 66) != tiles) return false;
  }
  return true;
}

// Every K block of every tile once, no two workers in the same place of a round, and every worker
// in all of them by turns.
bool group_work_turns() {
  for (u32 workers : {1u, 2u, 66u, 132u}) {
    for (u32 streamed : {0u, 7u, 70u}) {
      const WorkShape shape = WorkShape::of(70 + 3 * workers + 1, 5, workers, streamed);
      std::map<std::pair<u32, u32>, int> seen;
      for (u32 worker = 0; worker < workers; ++worker) {
        GroupWork work(shape, worker);
        for (Segment segment; work.next(shape, worker, segment);) {
          for (u32 k = segment.k_begin; k < segment.k_end; ++k) ++seen[{segment.tile, k}];
          if (segment.tile < streamed) continue;
          const u32 round = (segment.tile - streamed) / workers;
          if ((segment.tile - streamed) % workers != (worker + round) % workers) return false;
        }
      }
      for (const auto& [unit, count] : seen) {
        if (count != 1 || unit.first >= shape.tiles) return false;
      }
      if (seen.size() != static_cast<u64>(shape.tiles) * shape.k_blocks) return false;
    }
  }
  return true;
}

bool ring_alternates_its_parity() {
  Ring<5> ring;
  for (u32 step = 0; step < 40; ++step, ring.advance()) {
    if (ring.stage != step % 5 || ring.parity != step / 5 % 2) return false;
  }
  return true;
}

}  // namespace
}  // namespace deepgemm

int main() {
  using namespace deepgemm;
  report("rows of groups stay inside", rows_of_groups_stay_inside());
  report("steps cover slices of K", steps_cover_slices_of_k());
  report("bytes outside become zero", bytes_outside_become_zero());
  report("the last rounds are streamed", the_last_rounds_are_streamed());
  report("the workers of a grouped product take turns", group_work_turns());
  report("divisors divide", quotients_are_exact());
  report("a work list covers every K block of every tile once",
         holds_for_random_shapes(covers_everything_once));
  report("owners ask for the partial sums that are owed, after paying their own",
         holds_for_random_shapes(partial_sums_meet));
  report("streamed work is dealt evenly", holds_for_random_shapes(shares_are_even));
  report("every place of the grid has one tile", every_place_has_one_tile());
  report("swizzles are those of the copy engine", swizzle_is_the_copy_engines<128>() &&
                                                      swizzle_is_the_copy_engines<64>() &&
                                                      swizzle_is_the_copy_engines<32>());
  report("swizzled columns have no bank conflict", columns_have_no_bank_conflict<128>() &&
                                                       columns_have_no_bank_conflict<64>() &&
                                                       columns_have_no_bank_conflict<32>());
  report("bytes on their way to the transposed matrix have places of their own, without conflicts",
         transposed_tile_has_no_bank_conflict());
  report("the ring changes parity once per turn", ring_alternates_its_parity());
  return all_fine ? 0 : 1;
}
