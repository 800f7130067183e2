#pragma once

#include <napi.h>

#include <memory>
#include <vector>

#include "stream_core.h"

namespace deepgemm {

// A stream as JavaScript sees it: records events, waits for others and settles promises.
class Stream : public Napi::ObjectWrap<Stream> {
 public:
  static void define(Napi::Env env, Napi::Object exports);

  // new Stream(nicer = 0): see StreamCore.
  explicit Stream(const Napi::CallbackInfo& info);
  ~Stream() override;

  StreamCore& core() { return *core_; }

  // Settles the promises of finished work; true when none is left.
  bool settle(Napi::Env env);

 private:
  struct Waiter {
    uint64_t ticket;
    Napi::Promise::Deferred deferred;
  };

  Napi::Value synchronize(const Napi::CallbackInfo& info);
  Napi::Value record(const Napi::CallbackInfo& info);
  void wait(const Napi::CallbackInfo& info);
  void close(const Napi::CallbackInfo& info);

  std::shared_ptr<StreamCore> core_;
  std::vector<Waiter> waiters_;
};

}  // namespace deepgemm
