// What the processor offers and the operating system has enabled. All false off x86.
#pragma once

namespace deepgemm::cpu {

struct X86Features {
  bool avx2_fma = false;
  bool avx512_bw_dq_vl = false;
  bool avx512_bf16_vbmi = false;
  bool amx_bf16 = false;
};

const X86Features& x86_features();

// Linux hands out the tile registers only on request; true when this process may use them.
bool request_amx_permission();

}  // namespace deepgemm::cpu
