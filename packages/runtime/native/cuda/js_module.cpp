#include "js_module.h"

#include <string>
#include <utility>

#include "error.h"
#include "js_device.h"
#include "js_stream.h"

namespace deepgemm::cuda {

void Module::define(Napi::Env env, Napi::Object exports) {
  exports.Set("Module",
              DefineClass(env, "CudaModule", {InstanceMethod<&Module::dispose>("dispose")}));
}

Module::Module(const Napi::CallbackInfo& info)
    : ObjectWrap(info), janitor_(Device::of(info[0]).janitor()) {
  const auto& context = Device::of(info[0]).context();
  const void* cubin = info[1].As<Napi::Uint8Array>().Data();
  module_ =
      guarded(info.Env(), context->driver(), [&] { return ModuleHandle::load(context, cubin); });
}

void Module::dispose(const Napi::CallbackInfo&) { retire(*janitor_, std::exchange(module_, {})); }

void Function::define(Napi::Env env, Napi::Object exports) {
  exports.Set("Function", DefineClass(env, "CudaFunction",
                                      {InstanceMethod<&Function::attributes>("attributes")}));
}

Function::Function(const Napi::CallbackInfo& info)
    : ObjectWrap(info), module_(Module::of(info[0]).get()) {
  const auto module = module_.lock();
  const std::string name = info[1].As<Napi::String>();
  const int shared_bytes = info[2].As<Napi::Number>().Int32Value();
  const Driver& driver = module->context()->driver();
  guarded(info.Env(), driver, [&] {
    module->context()->enter();
    driver.module_function(&function_, module->get(), name.c_str());
    driver.function_set(function_, kMaxDynamicSharedBytes, shared_bytes);
    // Clusters of up to 16 blocks; more than 8 need to be asked for.
    driver.function_set(function_, kNonPortableCluster, 1);
  });
}

Napi::Value Function::attributes(const Napi::CallbackInfo& info) {
  const auto module = module_.lock();
  const Driver& driver = module->context()->driver();
  Napi::Object result = Napi::Object::New(info.Env());
  const std::pair<const char*, int> wanted[] = {{"maxThreads", kMaxThreadsPerBlock},
                                                {"staticSharedBytes", kStaticSharedBytes},
                                                {"localBytes", kLocalBytes},
                                                {"registers", kRegisters}};
  for (const auto& [name, attribute] : wanted) {
    int value = 0;
    guarded(info.Env(), driver, [&] {
      module->context()->enter();
      driver.function_get(&value, attribute, function_);
    });
    result.Set(name, value);
  }
  return result;
}

void Graph::define(Napi::Env env, Napi::Object exports) {
  exports.Set("Graph", DefineClass(env, "CudaGraph",
                                   {InstanceMethod<&Graph::launch>("launch"),
                                    InstanceMethod<&Graph::dispose>("dispose")}));
}

Graph::Graph(const Napi::CallbackInfo& info)
    : ObjectWrap(info), janitor_(Device::of(info[0]).janitor()) {
  StreamHandle& stream = *Stream::of(info[1]).handle();
  graph_ = guarded(info.Env(), stream.driver(), [&] {
    stream.context()->enter();
    return GraphHandle::end_capture(stream);
  });
}

// launch(stream)
void Graph::launch(const Napi::CallbackInfo& info) {
  const auto& stream = Stream::of(info[0]).handle();
  guarded(info.Env(), stream->driver(), [&] {
    stream->context()->enter();
    graph_->launch(stream);
  });
}

void Graph::dispose(const Napi::CallbackInfo&) { retire(*janitor_, std::exchange(graph_, {})); }

}  // namespace deepgemm::cuda
