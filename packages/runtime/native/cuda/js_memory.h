#pragma once

#include <napi.h>

#include <memory>

#include "device_memory.h"
#include "host_memory.h"

namespace deepgemm::cuda {

// Device memory as JavaScript owns it.
class Memory : public Napi::ObjectWrap<Memory> {
 public:
  static void define(Napi::Env env, Napi::Object exports);
  static Memory& of(const Napi::Value& value) { return *Unwrap(value.As<Napi::Object>()); }

  // new Memory(device, stream, byteLength, source?: Uint8Array); zeroed without a source.
  explicit Memory(const Napi::CallbackInfo& info);
  ~Memory() override { retire(*janitor_, std::move(memory_)); }

  const std::shared_ptr<DeviceMemory>& get() const { return memory_; }

 private:
  void read(const Napi::CallbackInfo& info);
  void write(const Napi::CallbackInfo& info);
  void dispose(const Napi::CallbackInfo& info);

  std::shared_ptr<DeviceMemory> memory_;
  std::shared_ptr<StreamCore> janitor_;
};

// Page-locked host memory as JavaScript owns it.
class Pinned : public Napi::ObjectWrap<Pinned> {
 public:
  static void define(Napi::Env env, Napi::Object exports);
  static Pinned& of(const Napi::Value& value) { return *Unwrap(value.As<Napi::Object>()); }

  // new Pinned(device, byteLength)
  explicit Pinned(const Napi::CallbackInfo& info);
  ~Pinned() override { retire(*janitor_, std::move(memory_)); }

  const std::shared_ptr<HostMemory>& get() const { return memory_; }

 private:
  Napi::Value view(const Napi::CallbackInfo& info);
  void dispose(const Napi::CallbackInfo& info);
  void Finalize(Napi::BasicEnv env) override;

  std::shared_ptr<HostMemory> memory_;
  std::shared_ptr<StreamCore> janitor_;
  Napi::Reference<Napi::ArrayBuffer> view_;
  // What views hold, until dispose: the engine may free a collected view much later.
  std::shared_ptr<std::shared_ptr<HostMemory>> viewed_;
  // Bytes that the engine was told of; they count in its decisions when to collect.
  int64_t accounted_ = 0;
};

// Adds copyIn and copyOut, between pinned memory and the device's, and zeroRows: in stream order.
void define_copies(Napi::Env env, Napi::Object exports);

}  // namespace deepgemm::cuda
