#include "isa/x86_features.hpp"

#if defined(__x86_64__)
#include <cpuid.h>

#include <cstdint>
#if defined(__linux__)
#include <sys/syscall.h>
#include <unistd.h>
#endif

namespace deepgemm::cpu {
namespace {

struct Leaf {
  unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
};

Leaf leaf(unsigned number, unsigned sub) {
  Leaf out;
  __get_cpuid_count(number, sub, &out.eax, &out.ebx, &out.ecx, &out.edx);
  return out;
}

bool bit(unsigned word, int index) { return (word >> index) & 1u; }

// XCR0: the register state that the operating system saves on a context switch.
uint64_t enabled_state() {
  uint32_t low = 0, high = 0;
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return (static_cast<uint64_t>(high) << 32) | low;
}

X86Features probe() {
  constexpr uint64_t kYmm = 0x6;          // SSE and AVX halves
  constexpr uint64_t kZmm = 0xe0 | kYmm;  // masks, upper halves, upper registers
  constexpr uint64_t kTiles = 0x60000;    // tile configuration and data
  X86Features found;
  const Leaf basic = leaf(1, 0);
  const bool osxsave = bit(basic.ecx, 27);
  if (!osxsave) return found;
  const uint64_t state = enabled_state();
  const Leaf extended = leaf(7, 0);
  const Leaf extended1 = extended.eax >= 1 ? leaf(7, 1) : Leaf{};
  const bool ymm = (state & kYmm) == kYmm;
  const bool zmm = (state & kZmm) == kZmm;
  const bool fma = bit(basic.ecx, 12), f16c = bit(basic.ecx, 29);
  found.avx2_fma = ymm && fma && f16c && bit(extended.ebx, 5);
  found.avx512_bw_dq_vl = found.avx2_fma && zmm && bit(extended.ebx, 16) && bit(extended.ebx, 17) &&
                          bit(extended.ebx, 30) && bit(extended.ebx, 31);
  found.avx512_bf16_vbmi = found.avx512_bw_dq_vl && bit(extended.ecx, 1) && bit(extended1.eax, 5);
  found.amx_bf16 = (state & kTiles) == kTiles && bit(extended.edx, 22) && bit(extended.edx, 24);
  return found;
}

}  // namespace

const X86Features& x86_features() {
  static const X86Features features = probe();
  return features;
}

bool request_amx_permission() {
#if defined(__linux__)
  constexpr long kArchReqXcompPerm = 0x1023;
  constexpr long kTileData = 18;
  static const bool granted = syscall(SYS_arch_prctl, kArchReqXcompPerm, kTileData) == 0;
  return granted;
#else
  return false;
#endif
}

}  // namespace deepgemm::cpu

#else

namespace deepgemm::cpu {

const X86Features& x86_features() {
  static const X86Features none;
  return none;
}

bool request_amx_permission() { return false; }

}  // namespace deepgemm::cpu

#endif
