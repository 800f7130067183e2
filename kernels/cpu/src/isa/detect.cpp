#include <algorithm>
#include <array>
#include <utility>

#include "deepgemm/cpu/isa.hpp"
#include "isa/compiled.hpp"
#include "isa/x86_features.hpp"

namespace deepgemm::cpu {
namespace {

constexpr std::array<std::pair<Isa, const char*>, 6> kNames{{
    {Isa::baseline, "baseline"},
    {Isa::neon, "neon"},
    {Isa::avx2, "avx2"},
    {Isa::avx512, "avx512"},
    {Isa::avx512_bf16, "avx512_bf16"},
    {Isa::amx, "amx"},
}};

bool machine_runs(Isa isa) {
  const X86Features& x86 = x86_features();
  switch (isa) {
    case Isa::baseline:
      return true;
    case Isa::neon:
#if defined(__aarch64__)
      return true;
#else
      return false;
#endif
    case Isa::avx2:
      return x86.avx2_fma;
    case Isa::avx512:
      return x86.avx512_bw_dq_vl;
    case Isa::avx512_bf16:
      return x86.avx512_bf16_vbmi;
    case Isa::amx:
      return x86.avx512_bf16_vbmi && x86.amx_bf16 && request_amx_permission();
  }
  return false;
}

}  // namespace

std::vector<Isa> available_isas() {
  std::vector<Isa> isas;
  for (const auto& [isa, name] : kNames) {
    if (is_compiled(isa) && machine_runs(isa)) isas.push_back(isa);
  }
  return isas;
}

Isa detect_isa() {
  static const Isa best = available_isas().back();
  return best;
}

const char* isa_name(Isa isa) {
  for (const auto& [candidate, name] : kNames) {
    if (candidate == isa) return name;
  }
  return "unknown";
}

std::optional<Isa> parse_isa(std::string_view text) {
  for (const auto& [isa, name] : kNames) {
    if (text == name) return isa;
  }
  return std::nullopt;
}

}  // namespace deepgemm::cpu
