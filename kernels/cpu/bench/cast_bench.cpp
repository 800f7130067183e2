// Bandwidth of quantize() as a share of memcpy's, both counted as bytes read plus bytes written and
// measured in turn within one process: median of rounds, and the best cast beside the best
// copy. Arguments: rows, columns, rounds, instruction set.
#include <algorithm>
#include <bit>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <vector>

#include "deepgemm/cpu/cast.hpp"

using namespace deepgemm::cpu;

namespace {

// One thread is timed by its own clock, which stands still while other jobs have its processor.
double seconds_now(int threads) {
  timespec now{};
  clock_gettime(threads == 1 ? CLOCK_THREAD_CPUTIME_ID : CLOCK_MONOTONIC, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

double seconds(int threads, FunctionRef<void()> work) {
  const double start = seconds_now(threads);
  work();
  return seconds_now(threads) - start;
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

double best(const std::vector<double>& rates) {
  return *std::max_element(rates.begin(), rates.end());
}

// Starts at a cache line, as tensors do.
template <class Element>
struct Lines {
  using value_type = Element;
  Lines() = default;
  template <class Other>
  Lines(const Lines<Other>&) {}
  Element* allocate(size_t count) {
    return static_cast<Element*>(std::aligned_alloc(64, (count * sizeof(Element) + 63) / 64 * 64));
  }
  void deallocate(Element* elements, size_t) { std::free(elements); }
  bool operator==(const Lines&) const { return true; }
};

struct Bench {
  int64_t rows;
  int64_t columns;
  int rounds;
  std::vector<float, Lines<float>> source;
  std::vector<uint16_t, Lines<uint16_t>> halves;  // the same values as bf16
  std::vector<uint8_t, Lines<uint8_t>> values;
  std::vector<float, Lines<float>> scales;
  std::vector<float, Lines<float>> copy;

  const void* source_of(FloatType type) const {
    if (type == FloatType::bf16) return halves.data();
    return source.data();
  }

  QuantizeArgs args(FloatType type, ScaleRecipe recipe, bool transpose) {
    QuantizeArgs args;
    args.source = source_of(type);
    args.source_type = type;
    args.rows = rows;
    args.columns = columns;
    args.source_row_stride = columns;
    args.values = values.data();
    args.values_row_stride = transpose ? rows : columns;
    args.recipe = recipe;
    args.transpose = transpose;
    // As the API stores them: 1x128 by columns, the others by rows.
    const int64_t out_rows = transpose ? columns : rows, out_columns = transpose ? rows : columns;
    args.scales = {scales.data(), ScaleFormat::f32, 0, out_columns, 1, 0};
    if (recipe == ScaleRecipe::row_1x128) args.scales.row_stride = 1;
    if (recipe == ScaleRecipe::row_1x128) args.scales.column_stride = (out_rows + 3) / 4 * 4;
    if (recipe == ScaleRecipe::block_128x128) args.scales.row_stride = (out_columns + 127) / 128;
    return args;
  }
};

void copy_bytes(Pool& pool, const void* from, void* to, int64_t bytes) {
  const int64_t share = (bytes / pool.threads() + 63) / 64 * 64;
  pool.parallel_for(pool.threads(), [&](int64_t i) {
    const int64_t count = std::min(share, bytes - i * share);
    std::memcpy(static_cast<char*>(to) + i * share, static_cast<const char*>(from) + i * share,
                static_cast<size_t>(count));
  });
}

void compare(Bench& bench, Pool& pool, Isa isa, FloatType type, ScaleRecipe recipe,
             bool transpose) {
  const int64_t elements = bench.rows * bench.columns;
  const int threads = pool.threads();
  const int64_t read = elements * (type == FloatType::f32 ? 4 : 2);
  const QuantizeArgs args = bench.args(type, recipe, transpose);
  std::vector<double> ratios;
  std::vector<double> rates;
  std::vector<double> copies;
  for (int round = 0; round < bench.rounds; ++round) {
    const double copied =
        seconds(threads, [&] { copy_bytes(pool, bench.source_of(type), bench.copy.data(), read); });
    const double cast = seconds(threads, [&] { quantize(pool, isa, args); });
    rates.push_back(static_cast<double>(read + elements) / cast / 1e9);
    copies.push_back(static_cast<double>(2 * read) / copied / 1e9);
    ratios.push_back(rates.back() / copies.back());
  }
  constexpr const char* kTypeNames[] = {"f32", "f16", "bf16"};
  constexpr const char* kRecipeNames[] = {"1x128", "128x128", "128x1"};
  std::printf("%-12s %d threads %-4s %-7s %-9s %6.1f GB/s = %3.0f %% of copy, best %3.0f %%\n",
              isa_name(isa), threads, kTypeNames[static_cast<int>(type)],
              kRecipeNames[static_cast<int>(recipe)], transpose ? "transpose" : "", median(rates),
              100 * median(ratios), 100 * best(rates) / best(copies));
  std::fflush(stdout);
}

}  // namespace

int main(int argc, char** argv) {
  Bench bench{};
  bench.rows = argc > 1 ? std::atoll(argv[1]) : 4096;
  bench.columns = argc > 2 ? std::atoll(argv[2]) : 7168;
  bench.rounds = argc > 3 ? std::atoi(argv[3]) : 9;
  const char* only = argc > 4 ? argv[4] : "";
  const auto elements = static_cast<size_t>(bench.rows * bench.columns);
  bench.source.resize(elements);
  bench.values.resize(elements);
  bench.scales.resize(static_cast<size_t>(bench.rows * bench.columns));
  bench.copy.resize(elements);
  bench.halves.resize(elements);
  for (size_t i = 0; i < elements; ++i) {
    const auto hash = static_cast<uint32_t>(i * 2654435761u >> 12);
    bench.source[i] = static_cast<float>(static_cast<int32_t>(hash % 8191) - 4095) / 64;
    bench.halves[i] = static_cast<uint16_t>(std::bit_cast<uint32_t>(bench.source[i]) >> 16);
  }
  for (const int threads : {1, 2}) {
    Pool pool(threads);
    for (const Isa isa : available_isas()) {
      if (*only && std::strcmp(only, isa_name(isa)) != 0) continue;
      for (const FloatType type : {FloatType::f32, FloatType::bf16}) {
        compare(bench, pool, isa, type, ScaleRecipe::row_1x128, false);
        compare(bench, pool, isa, type, ScaleRecipe::block_128x128, false);
        compare(bench, pool, isa, type, ScaleRecipe::column_128x1, false);
        compare(bench, pool, isa, type, ScaleRecipe::row_1x128, true);
      }
    }
  }
}
