#include <napi.h>

#include <cstring>
#include <memory>

#include "../stream.h"
#include "js_cuda.h"
#include "nvrtc.h"

namespace deepgemm::cuda {
namespace {

// nvrtcOpen(path): { version: [major, minor] }, or { problem }.
Napi::Value open(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  const Nvrtc& nvrtc = Nvrtc::at(info[0].As<Napi::String>());
  Napi::Object result = Napi::Object::New(env);
  int major = 0;
  int minor = 0;
  if (!nvrtc.library().loaded()) {
    result.Set("problem", nvrtc.library().reason());
  } else if (!nvrtc.usable()) {
    result.Set("problem", "it lacks " + nvrtc.library().missing().front());
  } else if (!nvrtc.version(&major, &minor)) {
    result.Set("problem", "nvrtcVersion failed");
  } else {
    Napi::Array version = Napi::Array::New(env, 2);
    version.Set(0u, major);
    version.Set(1u, minor);
    result.Set("version", version);
  }
  return result;
}

Napi::Value to_value(Napi::Env env, const Nvrtc::Result& result) {
  if (!result.failure.empty()) throw Napi::Error::New(env, result.failure);
  Napi::Object value = Napi::Object::New(env);
  value.Set("log", result.log);
  if (result.compiled) {
    Napi::Uint8Array cubin = Napi::Uint8Array::New(env, result.cubin.size());
    std::memcpy(cubin.Data(), result.cubin.data(), result.cubin.size());
    value.Set("cubin", cubin);
  }
  return value;
}

// nvrtcCompile(waiter, path, source, name, options): the waiter's next job compiles; after it the
// function that this returns gives { cubin?, log }, or throws. cubin is absent when the source did
// not compile. Not on Node's own threads: those are few, and files are read on them.
Napi::Value compile(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  auto& waiter = deepgemm::Stream::Unwrap(info[0].As<Napi::Object>())->core();
  const Nvrtc& nvrtc = Nvrtc::at(info[1].As<Napi::String>());
  const std::string source = info[2].As<Napi::String>();
  const std::string name = info[3].As<Napi::String>();
  Napi::Array list = info[4].As<Napi::Array>();
  std::vector<std::string> options;
  for (uint32_t i = 0; i < list.Length(); i++) {
    options.push_back(Napi::Value(list[i]).As<Napi::String>());
  }
  const auto result = std::make_shared<Nvrtc::Result>();
  waiter.enqueue([=, &nvrtc] {
    *result = nvrtc.compile(source, name, options);
    return std::optional<JobError>();
  });
  return Napi::Function::New(
      env, [result](const Napi::CallbackInfo& call) { return to_value(call.Env(), *result); });
}

}  // namespace

void define_nvrtc(Napi::Env env, Napi::Object exports) {
  exports.Set("nvrtcOpen", Napi::Function::New(env, open));
  exports.Set("nvrtcCompile", Napi::Function::New(env, compile));
}

}  // namespace deepgemm::cuda
