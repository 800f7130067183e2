#pragma once

#include <napi.h>

#include <memory>

#include "graph_handle.h"
#include "module_handle.h"

namespace deepgemm::cuda {

// A loaded cubin as JavaScript owns it.
class Module : public Napi::ObjectWrap<Module> {
 public:
  static void define(Napi::Env env, Napi::Object exports);
  static Module& of(const Napi::Value& value) { return *Unwrap(value.As<Napi::Object>()); }

  // new Module(device, cubin: Uint8Array)
  explicit Module(const Napi::CallbackInfo& info);
  ~Module() override { retire(*janitor_, std::move(module_)); }

  const std::shared_ptr<ModuleHandle>& get() const { return module_; }

 private:
  void dispose(const Napi::CallbackInfo& info);

  std::shared_ptr<ModuleHandle> module_;
  std::shared_ptr<StreamCore> janitor_;
};

// A kernel of a module. Valid while the module is.
class Function : public Napi::ObjectWrap<Function> {
 public:
  static void define(Napi::Env env, Napi::Object exports);
  static Function& of(const Napi::Value& value) { return *Unwrap(value.As<Napi::Object>()); }

  // new Function(module, name, sharedBytes): with room for that much dynamic shared memory.
  explicit Function(const Napi::CallbackInfo& info);

  CUfunction get() const { return function_; }

  // The module may be gone from JavaScript by now; TypeScript checks that before a launch.
  std::shared_ptr<ModuleHandle> module() const { return module_.lock(); }

 private:
  Napi::Value attributes(const Napi::CallbackInfo& info);

  std::weak_ptr<ModuleHandle> module_;
  CUfunction function_ = nullptr;
};

// A graph as JavaScript owns it.
class Graph : public Napi::ObjectWrap<Graph> {
 public:
  static void define(Napi::Env env, Napi::Object exports);

  // new Graph(device, stream): ends the stream's capture.
  explicit Graph(const Napi::CallbackInfo& info);
  ~Graph() override { retire(*janitor_, std::move(graph_)); }

 private:
  void launch(const Napi::CallbackInfo& info);
  void dispose(const Napi::CallbackInfo& info);

  std::shared_ptr<GraphHandle> graph_;
  std::shared_ptr<StreamCore> janitor_;
};

}  // namespace deepgemm::cuda
