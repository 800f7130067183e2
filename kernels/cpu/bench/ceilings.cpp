#include "ceilings.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace deepgemm::cpu::bench {
namespace {

std::atomic<uint64_t> sink{0};

constexpr int kRounds = 2'000'000;
constexpr int kChains = 12;  // independent accumulators: more than latency x width

#if defined(__x86_64__)
__attribute__((target("avx2"))) uint64_t read_all(const uint8_t* bytes, int64_t size) {
  __m256i sum[4] = {};
  int64_t i = 0;
  for (; i + 128 <= size; i += 128) {
    _mm_prefetch(reinterpret_cast<const char*>(bytes + i + 4096), _MM_HINT_T0);
    _mm_prefetch(reinterpret_cast<const char*>(bytes + i + 4160), _MM_HINT_T0);
    for (int v = 0; v < 4; ++v) {
      sum[v] = _mm256_xor_si256(
          sum[v], _mm256_loadu_si256(reinterpret_cast<const __m256i*>(bytes + i + v * 32)));
    }
  }
  const __m256i all =
      _mm256_xor_si256(_mm256_xor_si256(sum[0], sum[1]), _mm256_xor_si256(sum[2], sum[3]));
  return static_cast<uint64_t>(_mm256_extract_epi64(all, 0));
}

// One round of each loop is kChains multiply-adds; the barrier keeps the compiler from folding.
__attribute__((target("avx512f,avx512bf16"))) int64_t bf16_rounds() {
  __m512 acc[kChains] = {};
  const __m512bh one = (__m512bh)_mm512_set1_epi32(0x3f803f80);
  for (int round = 0; round < kRounds; ++round) {
#pragma GCC unroll 12
    for (int i = 0; i < kChains; ++i) acc[i] = _mm512_dpbf16_ps(acc[i], one, one);
    for (int i = 0; i < kChains; ++i) __asm__ volatile("" : "+v"(acc[i]));
  }
  return 16 * 4;
}

__attribute__((target("avx512f"))) int64_t avx512_rounds() {
  __m512 acc[kChains] = {};
  const __m512 one = _mm512_set1_ps(1);
  for (int round = 0; round < kRounds; ++round) {
#pragma GCC unroll 12
    for (int i = 0; i < kChains; ++i) acc[i] = _mm512_fmadd_ps(one, one, acc[i]);
    for (int i = 0; i < kChains; ++i) __asm__ volatile("" : "+v"(acc[i]));
  }
  return 16 * 2;
}

__attribute__((target("avx2,fma"))) int64_t avx2_rounds() {
  __m256 acc[kChains] = {};
  const __m256 one = _mm256_set1_ps(1);
  for (int round = 0; round < kRounds; ++round) {
#pragma GCC unroll 12
    for (int i = 0; i < kChains; ++i) acc[i] = _mm256_fmadd_ps(one, one, acc[i]);
    for (int i = 0; i < kChains; ++i) __asm__ volatile("" : "+x"(acc[i]));
  }
  return 8 * 2;
}
#else
uint64_t read_all(const uint8_t* bytes, int64_t size) {
  uint64_t sum = 0;
  for (int64_t i = 0; i < size; ++i) sum += bytes[i];
  return sum;
}
#endif

// Floating-point operations of one multiply-add instruction, after running the loop once.
int64_t run_rounds(Isa isa) {
#if defined(__x86_64__)
  if (isa == Isa::avx512_bf16) return bf16_rounds();
  if (isa == Isa::avx512) return avx512_rounds();
  if (isa == Isa::avx2) return avx2_rounds();
#endif
  (void)isa;
  return 0;
}

}  // namespace

double seconds_now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

double read_bandwidth(Pool& pool, std::span<const uint8_t> bytes) {
  constexpr int64_t kPart = 1 << 20;
  const int64_t size = static_cast<int64_t>(bytes.size());
  const double start = seconds_now();
  pool.parallel_for((size + kPart - 1) / kPart, [&](int64_t part) {
    sink ^= read_all(bytes.data() + part * kPart, std::min(kPart, size - part * kPart));
  });
  return static_cast<double>(size) / (seconds_now() - start);
}

double peak_flops(Pool& pool, Isa isa) {
  std::atomic<int64_t> per_instruction{0};
  const double start = seconds_now();
  pool.parallel_for(pool.threads(), [&](int64_t) { per_instruction = run_rounds(isa); });
  const double seconds = seconds_now() - start;
  return static_cast<double>(per_instruction.load()) * kChains * kRounds * pool.threads() / seconds;
}

}  // namespace deepgemm::cpu::bench
