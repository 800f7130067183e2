#include <atomic>
#include <cstdio>
#include <cstring>
#include <vector>

#include "check.hpp"

namespace deepgemm::cpu::test {
namespace {

struct Registered {
  const char* name;
  void (*run)();
};

std::vector<Registered>& cases() {
  static std::vector<Registered> all;
  return all;
}

// Cases may check from several threads.
std::atomic<int64_t> checks{0};
std::atomic<int64_t> failures{0};

}  // namespace

void check(bool holds, const std::string& what) {
  ++checks;
  if (holds) return;
  if (++failures <= 40) std::printf("  not so: %s\n", what.c_str());
}

Case::Case(const char* name, void (*run)()) { cases().push_back({name, run}); }

}  // namespace deepgemm::cpu::test

// Runs every case, or those whose name contains the first argument.
int main(int argc, char** argv) {
  using namespace deepgemm::cpu::test;
  int64_t failed = 0;
  int64_t passed = 0;
  for (const Registered& test : cases()) {
    if (argc > 1 && !std::strstr(test.name, argv[1])) continue;
    const int64_t failures_before = failures;
    test.run();
    const bool good = failures == failures_before;
    std::printf("%s %s\n", good ? "ok  " : "FAIL", test.name);
    std::fflush(stdout);
    ++(good ? passed : failed);
  }
  std::printf("%lld checks\n%lld passed, %lld failed\n", static_cast<long long>(checks.load()),
              static_cast<long long>(passed), static_cast<long long>(failed));
  return failed == 0 && passed > 0 ? 0 : 1;
}
