// Which instruction sets this build and this machine can both run.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

namespace deepgemm::cpu {

enum class Isa {
  baseline,     // x86-64 with SSE2, or plain portable code on any other architecture
  avx2,         // AVX2 + FMA
  avx512,       // AVX-512 F, BW, DQ, VL
  avx512_bf16,  // the above with VBMI and BF16
  neon,         // AArch64 Advanced SIMD
  amx,          // AMX-TILE + AMX-BF16 beside everything avx512_bf16 needs
};

// The fastest entry of available_isas().
Isa detect_isa();

// Compiled in, supported by the processor and enabled by the operating system; slowest first.
// Never empty: the baseline always runs.
std::vector<Isa> available_isas();

const char* isa_name(Isa isa);
std::optional<Isa> parse_isa(std::string_view name);

}  // namespace deepgemm::cpu
