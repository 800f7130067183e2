#pragma once

#include <napi.h>

#include <memory>

#include "stream_handle.h"

namespace deepgemm::cuda {

// A stream as JavaScript sees it. Promises are settled by a waiter: a queue of `../stream.h` whose
// thread waits for events.
class Stream : public Napi::ObjectWrap<Stream> {
 public:
  static void define(Napi::Env env, Napi::Object exports);
  static Stream& of(const Napi::Value& value) { return *Unwrap(value.As<Napi::Object>()); }

  // new Stream(device)
  explicit Stream(const Napi::CallbackInfo& info);

  // Undefined after dispose; TypeScript does not call then.
  const std::shared_ptr<StreamHandle>& handle() const { return handle_; }
  const Driver& driver() const { return handle_->driver(); }

 private:
  Napi::Value is_idle(const Napi::CallbackInfo& info);
  void wait(const Napi::CallbackInfo& info);
  void begin_capture(const Napi::CallbackInfo& info);
  void abort_capture(const Napi::CallbackInfo& info);
  void dispose(const Napi::CallbackInfo& info);

  std::shared_ptr<StreamHandle> handle_;
};

// An event as JavaScript sees it.
class Event : public Napi::ObjectWrap<Event> {
 public:
  static void define(Napi::Env env, Napi::Object exports);
  static Event& of(const Napi::Value& value) { return *Unwrap(value.As<Napi::Object>()); }

  // new Event(stream, timing) records it.
  explicit Event(const Napi::CallbackInfo& info);

  const std::shared_ptr<EventHandle>& handle() const { return handle_; }

 private:
  Napi::Value is_done(const Napi::CallbackInfo& info);
  void settle_on(const Napi::CallbackInfo& info);
  Napi::Value elapsed_since(const Napi::CallbackInfo& info);
  void dispose(const Napi::CallbackInfo& info);

  std::shared_ptr<EventHandle> handle_;
};

}  // namespace deepgemm::cuda
