#include "cpu_device.h"

#include <string>

namespace deepgemm {
namespace {

// cpuInfo(): { isas, defaultIsa, defaultThreads }.
Napi::Value cpu_info(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  Napi::Array isas = Napi::Array::New(env);
  uint32_t count = 0;
  for (cpu::Isa isa : cpu::available_isas()) isas.Set(count++, cpu::isa_name(isa));
  Napi::Object result = Napi::Object::New(env);
  result.Set("isas", isas);
  result.Set("defaultIsa", cpu::isa_name(cpu::detect_isa()));
  result.Set("defaultThreads", cpu::default_threads());
  return result;
}

}  // namespace

void CpuDevice::define(Napi::Env env, Napi::Object exports) {
  exports.Set("CpuDevice",
              DefineClass(env, "CpuDevice", {InstanceMethod<&CpuDevice::dispose>("dispose")}));
  exports.Set("cpuInfo", Napi::Function::New(env, cpu_info));
}

CpuDevice::CpuDevice(const Napi::CallbackInfo& info) : ObjectWrap(info) {
  const int threads = info[0].As<Napi::Number>().Int32Value();
  const std::string isa = info[1].As<Napi::String>();
  const int nicer = info[2].As<Napi::Number>().Int32Value();
  context_ = std::make_shared<CpuContext>(threads, nicer, cpu::parse_isa(isa).value());
}

void CpuDevice::dispose(const Napi::CallbackInfo&) { context_.reset(); }

}  // namespace deepgemm
