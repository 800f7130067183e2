#include "ceilings.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <ctime>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace deepgemm::cpu::bench {
namespace {

std::atomic<uint64_t> sink{0};

constexpr int kRounds = 2'000'000;
constexpr int kAmxShare = 16;  // a tile product takes this many cycles
constexpr int kChains = 12;    // independent accumulators: more than latency x width

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

#if defined(__GNUC__) && !defined(__clang__) && __GNUC__ >= 11
// Four accumulators in turn, as the kernels do.
__attribute__((target("amx-tile,amx-bf16"))) int64_t amx_rounds() {
  struct alignas(64) Config {
    uint8_t palette = 1, start_row = 0, reserved[14] = {};
    uint16_t row_bytes[16] = {};
    uint8_t rows[16] = {};
  } config;
  for (int tile = 0; tile < 8; ++tile) {
    config.row_bytes[tile] = 64;
    config.rows[tile] = 16;
  }
  __asm__ volatile("" : : "r"(&config) : "memory");
  _tile_loadconfig(&config);
  for (int round = 0; round < kRounds / kAmxShare; ++round) {
    for (int i = 0; i < kChains / 4; ++i) {
      _tile_dpbf16ps(0, 4, 6);
      _tile_dpbf16ps(1, 4, 7);
      _tile_dpbf16ps(2, 5, 6);
      _tile_dpbf16ps(3, 5, 7);
    }
  }
  _tile_release();
  return 16 * 16 * 32 * 2 / kAmxShare;
}
#else
int64_t amx_rounds() { return 0; }
#endif

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
  if (isa == Isa::amx) return amx_rounds();
  if (isa == Isa::avx512_bf16) return bf16_rounds();
  if (isa == Isa::avx512) return avx512_rounds();
  if (isa == Isa::avx2) return avx2_rounds();
#endif
  (void)isa;
  return 0;
}

}  // namespace

double seconds_now(bool cpu_time) {
  if (cpu_time) {
    timespec time;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
  }
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

double read_bandwidth(Pool& pool, std::span<const uint8_t> bytes, bool cpu_time) {
  constexpr int64_t kPart = 1 << 20;
  const int64_t size = static_cast<int64_t>(bytes.size());
  const double start = seconds_now(cpu_time);
  pool.parallel_for((size + kPart - 1) / kPart, [&](int64_t part) {
    sink ^= read_all(bytes.data() + part * kPart, std::min(kPart, size - part * kPart));
  });
  return static_cast<double>(size) / (seconds_now(cpu_time) - start);
}

double peak_flops(Pool& pool, Isa isa, bool cpu_time) {
  std::atomic<int64_t> per_instruction{0};
  const double start = seconds_now(cpu_time);
  pool.parallel_for(pool.threads(), [&](int64_t) { per_instruction = run_rounds(isa); });
  const double seconds = seconds_now(cpu_time) - start;
  return static_cast<double>(per_instruction.load()) * kChains * kRounds * pool.threads() / seconds;
}

}  // namespace deepgemm::cpu::bench
