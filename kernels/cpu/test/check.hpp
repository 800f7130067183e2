// The smallest test harness that names what failed.
#pragma once

#include <cstdint>
#include <string>

namespace deepgemm::cpu::test {

// Counts a check; prints `what` when it does not hold.
void check(bool holds, const std::string& what);

// A test case registers itself by being a global of this type.
struct Case {
  Case(const char* name, void (*run)());
};

// xorshift: the same sequence on every machine.
class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed * 0x9e3779b97f4a7c15u + 1) {}
  uint64_t next() {
    state_ ^= state_ << 13;
    state_ ^= state_ >> 7;
    state_ ^= state_ << 17;
    return state_;
  }
  int64_t between(int64_t low, int64_t high) {
    return low + static_cast<int64_t>(next() % static_cast<uint64_t>(high - low + 1));
  }
  bool chance(double probability) { return unit() < probability; }
  double unit() { return static_cast<double>(next() >> 11) * 0x1p-53; }

 private:
  uint64_t state_;
};

}  // namespace deepgemm::cpu::test
