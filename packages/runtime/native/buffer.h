#pragma once

#include <napi.h>

#include <memory>

#include "allocation.h"
#include "buffer_table.h"

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
  Napi::Value id(const Napi::CallbackInfo& info);
  Napi::Value view(const Napi::CallbackInfo& info);
  void dispose(const Napi::CallbackInfo& info);
  void Finalize(Napi::BasicEnv env) override;

  // Takes the memory out of the table of those that operations may name.
  void forget();

  std::shared_ptr<Allocation> allocation_;
  std::shared_ptr<BufferTable> table_;
  uint32_t id_ = 0;
  Napi::Reference<Napi::ArrayBuffer> view_;
  int64_t accounted_ = 0;
};

}  // namespace deepgemm
