#include <napi.h>

#include <cstring>

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

// One compile on a thread of Node's pool.
class Compile : public Napi::AsyncWorker {
 public:
  Compile(Napi::Env env, const Nvrtc& nvrtc, std::string source, std::string name,
          std::vector<std::string> options)
      : AsyncWorker(env, "deepgemm nvrtc"),
        deferred_(env),
        nvrtc_(nvrtc),
        source_(std::move(source)),
        name_(std::move(name)),
        options_(std::move(options)) {}

  Napi::Promise promise() const { return deferred_.Promise(); }

  void Execute() override {
    result_ = nvrtc_.compile(source_, name_, options_);
    if (!result_.failure.empty()) SetError(result_.failure);
  }

  void OnOK() override {
    Napi::Env env = Env();
    Napi::Object value = Napi::Object::New(env);
    value.Set("log", result_.log);
    if (result_.compiled) {
      Napi::Uint8Array cubin = Napi::Uint8Array::New(env, result_.cubin.size());
      std::memcpy(cubin.Data(), result_.cubin.data(), result_.cubin.size());
      value.Set("cubin", cubin);
    }
    deferred_.Resolve(value);
  }

  void OnError(const Napi::Error& error) override { deferred_.Reject(error.Value()); }

 private:
  Napi::Promise::Deferred deferred_;
  const Nvrtc& nvrtc_;
  std::string source_;
  std::string name_;
  std::vector<std::string> options_;
  Nvrtc::Result result_;
};

// nvrtcCompile(path, source, name, options): a promise of { cubin?, log }; cubin is absent when the
// source did not compile.
Napi::Value compile(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  const Nvrtc& nvrtc = Nvrtc::at(info[0].As<Napi::String>());
  Napi::Array list = info[3].As<Napi::Array>();
  std::vector<std::string> options;
  for (uint32_t i = 0; i < list.Length(); i++) {
    options.push_back(Napi::Value(list[i]).As<Napi::String>());
  }
  // Deletes itself when it has settled.
  auto* work = new Compile(env, nvrtc, info[1].As<Napi::String>(), info[2].As<Napi::String>(),
                           std::move(options));
  Napi::Promise promise = work->promise();
  work->Queue();
  return promise;
}

}  // namespace

void define_nvrtc(Napi::Env env, Napi::Object exports) {
  exports.Set("nvrtcOpen", Napi::Function::New(env, open));
  exports.Set("nvrtcCompile", Napi::Function::New(env, compile));
}

}  // namespace deepgemm::cuda
