#pragma once

#include <napi.h>

#include <memory>

#include "context.h"
#include "resource.h"

namespace deepgemm::cuda {

// A device as JavaScript sees it: its context, and the janitor that lets go of what work still
// uses.
class Device : public Napi::ObjectWrap<Device> {
 public:
  static void define(Napi::Env env, Napi::Object exports);
  static Device& of(const Napi::Value& value) { return *Unwrap(value.As<Napi::Object>()); }

  // new Device(path, ordinal)
  explicit Device(const Napi::CallbackInfo& info);
  ~Device() override;

  const std::shared_ptr<Context>& context() const { return context_; }
  const std::shared_ptr<StreamCore>& janitor() const { return janitor_; }

 private:
  Napi::Value memory_info(const Napi::CallbackInfo& info);
  void trim(const Napi::CallbackInfo& info);
  void dispose(const Napi::CallbackInfo& info);

  std::shared_ptr<Context> context_;
  std::shared_ptr<StreamCore> janitor_;
};

}  // namespace deepgemm::cuda
