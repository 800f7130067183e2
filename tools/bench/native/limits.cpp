// What the machine could do at most, without the library: it builds where only the kernels' sources
// are.
//
//   limits <threads>, then lines on stdin:
//     peak <isa>  floating-point operations per second of its multiply-add; 0: unknown
//     read        bytes per second of reading cold memory once
#include <cstdlib>
#include <stdexcept>

#include "bytes.hpp"
#include "ceilings.hpp"
#include "protocol.hpp"

namespace {

constexpr size_t kColdBytes = size_t{128} << 20;  // several times the last cache
constexpr int kMostThreads = 1024;

}  // namespace

int main(int argc, char** argv) {
  using namespace deepgemm::cpu;
  const int threads = argc == 2 ? std::atoi(argv[1]) : 0;
  if (threads < 1 || threads > kMostThreads) {
    std::fprintf(stderr, "usage: limits <threads>, 1 to %d\n", kMostThreads);
    return 2;
  }
  Pool pool(threads);
  deepgemm::bench::Bytes cold;
  return deepgemm::bench::serve([&](const std::string& command, std::istream& in) {
    if (command == "read") {
      cold.resize(kColdBytes);
      return bench::read_bandwidth(pool, {cold.data(), cold.size()});
    }
    std::string name;
    in >> name;
    const auto isa = parse_isa(name);
    if (command != "peak" || !isa) throw std::invalid_argument("unknown request " + command);
    return bench::peak_flops(pool, *isa);
  });
}
