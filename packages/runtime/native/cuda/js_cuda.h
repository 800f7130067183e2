#pragma once

#include <napi.h>

namespace deepgemm::cuda {

void define_probe(Napi::Env env, Napi::Object exports);
void define_launch(Napi::Env env, Napi::Object exports);
void define_nvrtc(Napi::Env env, Napi::Object exports);

// Adds `cuda`, an object with all of the above and the classes of this folder. Opens no library.
void define_cuda(Napi::Env env, Napi::Object exports);

}  // namespace deepgemm::cuda
