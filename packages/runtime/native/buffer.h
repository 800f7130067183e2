#pragma once

#include <napi.h>

#include <memory>

#include "allocation.h"

namespace deepgemm {

// The JavaScript owner of an allocation. Jobs hold the allocation itself, so disposing a buffer
// that work still reads frees its memory when that work ends.
class Buffer : public Napi::ObjectWrap<Buffer> {
 public:
  static void define(Napi::Env env, Napi::Object exports);

  // new Buffer(byteLength) allocates; new Buffer(arrayBuffer, byteOffset, byteLength) borrows.
  explicit Buffer(const Napi::CallbackInfo& info);

  // Null after dispose.
  const std::shared_ptr<Allocation>& allocation() const { return allocation_; }

 private:
  Napi::Value view(const Napi::CallbackInfo& info);
  void dispose(const Napi::CallbackInfo& info);
  void Finalize(Napi::BasicEnv env) override;

  std::shared_ptr<Allocation> allocation_;
  Napi::Reference<Napi::ArrayBuffer> view_;
  int64_t accounted_ = 0;
};

}  // namespace deepgemm
