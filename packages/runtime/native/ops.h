#pragma once

#include <napi.h>

namespace deepgemm {

// Each adds its operations to the exports; every operation takes the arguments of OpCall.
void define_gemm_ops(Napi::Env env, Napi::Object exports);
void define_cast_ops(Napi::Env env, Napi::Object exports);
void define_moe_ops(Napi::Env env, Napi::Object exports);

}  // namespace deepgemm
