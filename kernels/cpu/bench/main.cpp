// GFLOP/s of the FP8 GEMM beside the machine's own limits, weights cold as in a model.
//
//   deepgemm_cpu_bench [--threads 1] [--isa name] [--runs 9] [--scale-rows 128] [--best yes]
//                      [--prepacked yes] [--clock cpu] [--warm yes] [MxNxK ...]
//
// --clock cpu counts the calling thread's processor time, which other jobs disturb less: for one
// thread only. Medians, or with --best the best run of each: the figure to tune by on a machine
// that others use.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "ceilings.hpp"
#include "deepgemm/cpu/gemm.hpp"
#include "deepgemm/cpu/prepack.hpp"

namespace deepgemm::cpu::bench {
namespace {

struct Shape {
  int64_t m, n, k;
};

struct Options {
  int threads = 1;
  Isa isa = detect_isa();
  int runs = 9;
  int32_t scale_rows = 128;
  bool best = false;
  bool prepacked = false;
  bool cpu_time = false;
  bool warm = false;  // the same weights every time
  std::vector<Shape> shapes;
};

constexpr int64_t kColdBytes = int64_t{128} << 20;  // copies of the weights exceed the last cache

std::vector<Shape> default_shapes() {
  std::vector<Shape> shapes;
  for (const int64_t m : {1, 2, 4, 8, 16, 64, 512}) shapes.push_back({m, 4096, 7168});
  shapes.push_back({2048, 2048, 2048});
  return shapes;
}

// `best` is the smallest value: pass times, not rates.
double summary(std::vector<double> values, bool best) {
  std::sort(values.begin(), values.end());
  return values[best ? 0 : values.size() / 2];
}

std::vector<uint8_t> random_codes(int64_t count, uint32_t seed) {
  std::vector<uint8_t> codes(static_cast<size_t>(count));
  for (uint8_t& code : codes) {
    seed = seed * 1664525 + 1013904223;
    code = static_cast<uint8_t>((seed >> 24) & 0xbf);  // below 2: no NaN, no overflow
  }
  return codes;
}

std::vector<uint8_t> prepacked_copies(const Options& options, Pool& pool, const Shape& shape,
                                      const std::vector<uint8_t>& b, int64_t copies) {
  if (!options.prepacked) return {};
  const int64_t bytes = prepacked_bytes(shape.n, shape.k);
  std::vector<uint8_t> packed(static_cast<size_t>(bytes * copies));
  for (int64_t i = 0; i < copies; ++i) {
    prepack(pool, {.values = b.data() + i * shape.n * shape.k,
                   .row_stride = shape.k,
                   .rows = shape.n,
                   .k = shape.k,
                   .packed = packed.data() + i * bytes});
  }
  return packed;
}

void run_shape(const Options& options, Pool& pool, const Shape& shape, double peak) {
  const auto [m, n, k] = shape;
  const int64_t copies =
      options.warm ? 1 : std::max<int64_t>(1, kColdBytes / std::max<int64_t>(n * k, 1));
  const int64_t blocks = (k + 127) / 128;
  const std::vector<uint8_t> a = random_codes(m * k, 1);
  const std::vector<uint8_t> b = random_codes(n * k * copies, 2);
  const std::vector<float> a_scales(static_cast<size_t>(m * blocks), 0.01f);
  const std::vector<float> b_scales(static_cast<size_t>(n * blocks), 0.01f);
  std::vector<uint16_t> d(static_cast<size_t>(m * n));
  GemmTask task{m,
                n,
                k,
                {a.data(), k, a_scales.data(), blocks, 1, 1},
                {b.data(), k, b_scales.data(), blocks, 1, options.scale_rows},
                d.data(),
                n,
                OutType::bf16,
                false};
  std::vector<double> seconds, floors;
  const int64_t copy_bytes = options.prepacked ? prepacked_bytes(n, k) : n * k;
  const std::vector<uint8_t> packed = prepacked_copies(options, pool, shape, b, copies);
  task.b.prepacked = options.prepacked;
  const uint8_t* weights = options.prepacked ? packed.data() : b.data();
  for (int run = 0; run < options.runs + 2; ++run) {
    task.b.values = weights + run % copies * copy_bytes;
    const double start = seconds_now(options.cpu_time);
    gemm(pool, options.isa, {&task, 1});
    if (run >= 2) seconds.push_back(seconds_now(options.cpu_time) - start);
    if (!options.warm || run == 0) floors.push_back(1 / read_bandwidth(pool, b, options.cpu_time));
  }
  const double flops = 2.0 * static_cast<double>(m * n * k);
  const double rate = flops / summary(seconds, options.best);
  const double floor = 1 / summary(floors, options.best);
  const double by_memory = floor * 2 * static_cast<double>(m);
  const double roof = peak > 0 ? std::min(peak, by_memory) : by_memory;
  std::printf("%6lld %6lld %6lld %9.1f %9.1f %8.1f %8.1f%%\n", static_cast<long long>(m),
              static_cast<long long>(n), static_cast<long long>(k), rate * 1e-9, peak * 1e-9,
              floor * 1e-9, 100 * rate / roof);
  std::fflush(stdout);
}

Options parse(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; ++i) {
    const std::string argument = argv[i];
    long long m, n, k;
    if (std::sscanf(argv[i], "%lldx%lldx%lld", &m, &n, &k) == 3) {
      options.shapes.push_back({m, n, k});
      continue;
    }
    const char* value = i + 1 < argc ? argv[++i] : "";
    if (argument == "--threads") {
      options.threads = std::atoi(value);
    } else if (argument == "--runs") {
      options.runs = std::max(1, std::atoi(value));
    } else if (argument == "--scale-rows") {
      options.scale_rows = std::atoi(value);
    } else if (argument == "--best") {
      options.best = true;
    } else if (argument == "--prepacked") {
      options.prepacked = true;
    } else if (argument == "--warm") {
      options.warm = true;
    } else if (argument == "--clock") {
      options.cpu_time = std::strcmp(value, "cpu") == 0;
    } else if (argument == "--isa" && parse_isa(value)) {
      options.isa = *parse_isa(value);
    } else {
      std::fprintf(stderr, "unknown argument %s %s\n", argument.c_str(), value);
      std::exit(2);
    }
  }
  if (options.shapes.empty()) options.shapes = default_shapes();
  return options;
}

}  // namespace
}  // namespace deepgemm::cpu::bench

int main(int argc, char** argv) {
  using namespace deepgemm::cpu;
  using namespace deepgemm::cpu::bench;
  const Options options = parse(argc, argv);
  Pool pool(options.threads);
  std::printf("%s, %d threads; GFLOP/s, read floor in GB/s\n", isa_name(options.isa),
              options.threads);
  std::printf("%6s %6s %6s %9s %9s %8s %9s\n", "m", "n", "k", "gemm", "peak", "floor", "of roof");
  for (const Shape& shape : options.shapes) {
    run_shape(options, pool, shape, peak_flops(pool, options.isa, options.cpu_time));
  }
}
