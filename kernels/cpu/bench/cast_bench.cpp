// Bandwidth of quantize() as a share of memcpy's, both counted as bytes read plus bytes written and
// measured in turn within one process. Arguments: rows, columns, rounds, instruction set.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "deepgemm/cpu/cast.hpp"

using namespace deepgemm::cpu;

namespace {

double seconds(FunctionRef<void()> work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
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
  std::vector<uint8_t, Lines<uint8_t>> values;
  std::vector<float, Lines<float>> scales;
  std::vector<float, Lines<float>> copy;

  QuantizeArgs args(FloatType type, ScaleRecipe recipe, bool transpose) {
    QuantizeArgs args;
    args.source = source.data();
    args.source_type = type;
    args.rows = rows;
    args.columns = columns;
    args.source_row_stride = columns;
    args.values = values.data();
    args.values_row_stride = transpose ? rows : columns;
    args.recipe = recipe;
    args.transpose = transpose;
    args.scales = {scales.data(), ScaleFormat::f32, 0, transpose ? rows : columns, 1, 0};
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
  const int64_t read = elements * (type == FloatType::f32 ? 4 : 2);
  const QuantizeArgs args = bench.args(type, recipe, transpose);
  std::vector<double> ratios;
  std::vector<double> rates;
  for (int round = 0; round < bench.rounds; ++round) {
    const double copied =
        seconds([&] { copy_bytes(pool, bench.source.data(), bench.copy.data(), read); });
    const double cast = seconds([&] { quantize(pool, isa, args); });
    rates.push_back(static_cast<double>(read + elements) / cast / 1e9);
    ratios.push_back(rates.back() / (static_cast<double>(2 * read) / copied / 1e9));
  }
  constexpr const char* kTypeNames[] = {"f32", "f16", "bf16"};
  constexpr const char* kRecipeNames[] = {"1x128", "128x128", "128x1"};
  std::printf("%-12s %d threads %-4s %-7s %-9s %6.1f GB/s = %3.0f %% of copy\n", isa_name(isa),
              pool.threads(), kTypeNames[static_cast<int>(type)],
              kRecipeNames[static_cast<int>(recipe)], transpose ? "transpose" : "", median(rates),
              100 * median(ratios));
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
  // The same bytes serve as every type: finite in all of them.
  for (size_t i = 0; i < elements; ++i) {
    bench.source[i] = static_cast<float>(static_cast<int64_t>(i * 2654435761u % 8191) - 4095) / 64;
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
