#pragma once

#include <napi.h>

#include <memory>

#include "stream_core.h"

namespace deepgemm {

// A point in a stream: the work that was enqueued before it.
class Event : public Napi::ObjectWrap<Event> {
 public:
  static void define(Napi::Env env, Napi::Object exports);
  static Napi::Object make(Napi::Env env, std::shared_ptr<StreamCore> core, uint64_t ticket);

  explicit Event(const Napi::CallbackInfo& info) : ObjectWrap(info) {}

  const std::shared_ptr<StreamCore>& core() const { return core_; }
  uint64_t ticket() const { return ticket_; }

 private:
  Napi::Value done(const Napi::CallbackInfo& info);

  std::shared_ptr<StreamCore> core_;
  uint64_t ticket_ = 0;
};

}  // namespace deepgemm
