// What the machine could do at most, and the kernels without Node around them.
//
//   machine <threads>, then lines on stdin:
//     peak <isa>                   floating-point operations per second of its multiply-add; 0:
//     unknown read                         bytes per second of reading cold memory once copy
//     <bytes>                 bytes per second, read and written, of memcpy gemm <m> <n> <k> <isa>
//     <runs>  seconds of one product, the median of `runs` warm ones
#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <stdexcept>
#include <vector>

#include "bytes.hpp"
#include "ceilings.hpp"
#include "deepgemm/cpu/gemm.hpp"
#include "protocol.hpp"

namespace deepgemm::cpu::bench {
namespace {

constexpr size_t kColdBytes = size_t{128} << 20;  // several times the last cache
constexpr int64_t kMostBytes = int64_t{8} << 30;
constexpr int64_t kMostRuns = 100'000;
constexpr int kMostThreads = 1024;

int64_t bounded(std::istream& in, int64_t most, const char* what) {
  int64_t value = 0;
  if (in >> value && value >= 1 && value <= most) return value;
  throw std::invalid_argument(std::string(what) + " must be 1 to " + std::to_string(most));
}

Isa isa_from(std::istream& in) {
  std::string name;
  in >> name;
  const auto isas = available_isas();
  const auto isa = parse_isa(name);
  if (isa && std::find(isas.begin(), isas.end(), *isa) != isas.end()) return *isa;
  throw std::invalid_argument("this machine does not run the instruction set " + name);
}

class Machine {
 public:
  explicit Machine(int threads) : pool_(threads) {}

  double answer(const std::string& command, std::istream& in) {
    if (command == "peak") return peak_flops(pool_, isa_from(in));
    if (command == "read") return read();
    if (command == "copy") return copy(bounded(in, kMostBytes, "bytes"));
    if (command == "gemm") return gemm_seconds(in);
    throw std::invalid_argument("unknown command " + command);
  }

 private:
  double read() {
    cold_.resize(kColdBytes);
    return read_bandwidth(pool_, {cold_.data(), cold_.size()});
  }

  double copy(int64_t bytes) {
    constexpr int64_t kPart = 1 << 20;
    from_.resize(static_cast<size_t>(bytes));
    to_.resize(static_cast<size_t>(bytes));
    const double start = seconds_now();
    pool_.parallel_for((bytes + kPart - 1) / kPart, [&](int64_t part) {
      const int64_t at = part * kPart;
      std::memcpy(to_.data() + at, from_.data() + at,
                  static_cast<size_t>(std::min(kPart, bytes - at)));
    });
    return 2 * static_cast<double>(bytes) / (seconds_now() - start);
  }

  double gemm_seconds(std::istream& in) {
    const int64_t m = bounded(in, 65536, "m"), n = bounded(in, 65536, "n");
    const int64_t k = bounded(in, 65536, "k");
    const Isa isa = isa_from(in);
    const int64_t runs = bounded(in, kMostRuns, "runs"), blocks = (k + 127) / 128;
    const std::vector<uint8_t> a(static_cast<size_t>(m * k), 0x31);
    const std::vector<uint8_t> b(static_cast<size_t>(n * k), 0x31);
    const std::vector<float> scales(static_cast<size_t>(std::max(m, n) * blocks), 0.01f);
    std::vector<uint16_t> d(static_cast<size_t>(m * n));
    GemmTask task;
    task.m = m, task.n = n, task.k = k;
    // Scales of A as quantize stores them: a column per block of K, rows padded to 4.
    task.a = {a.data(), k, scales.data(), 1, m, 1};
    task.b = {b.data(), k, scales.data(), blocks, 1, 128};
    task.d = d.data(), task.d_row_stride = n, task.out = OutType::bf16;
    std::vector<double> seconds;
    for (int64_t run = 0; run < runs; ++run) {
      const double start = seconds_now();
      gemm(pool_, isa, {&task, 1});
      seconds.push_back(seconds_now() - start);
    }
    std::nth_element(seconds.begin(), seconds.begin() + runs / 2, seconds.end());
    return seconds[static_cast<size_t>(runs / 2)];
  }

  Pool pool_;
  deepgemm::bench::Bytes cold_, from_, to_;
};

}  // namespace
}  // namespace deepgemm::cpu::bench

int main(int argc, char** argv) {
  using namespace deepgemm::cpu::bench;
  const int threads = argc == 2 ? std::atoi(argv[1]) : 0;
  if (threads < 1 || threads > kMostThreads) {
    std::fprintf(stderr, "usage: machine <threads>, 1 to %d\n", kMostThreads);
    return 2;
  }
  Machine machine(threads);
  return deepgemm::bench::serve(
      [&](const std::string& command, std::istream& in) { return machine.answer(command, in); });
}
