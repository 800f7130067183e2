#include "buffer.h"

#include "addon_data.h"

namespace deepgemm {
namespace {

// Holds the JavaScript memory until the last job lets go, then drops the reference where
// JavaScript runs.
std::shared_ptr<Allocation> borrow(Napi::Env env, Napi::ArrayBuffer memory, int64_t offset,
                                   int64_t bytes) {
  auto reference = std::make_shared<Napi::Reference<Napi::ArrayBuffer>>(Napi::Persistent(memory));
  return Allocation::borrow(static_cast<uint8_t*>(memory.Data()) + offset, bytes,
                            [graveyard = AddonData::of(env).graveyard(), reference] {
                              graveyard->bury(std::move(*reference));
                            });
}

}  // namespace

void Buffer::define(Napi::Env env, Napi::Object exports) {
  Napi::Function constructor =
      DefineClass(env, "Buffer",
                  {InstanceAccessor<&Buffer::id>("id"), InstanceMethod<&Buffer::view>("view"),
                   InstanceMethod<&Buffer::dispose>("dispose")});
  AddonData::of(env).buffer_constructor = Napi::Persistent(constructor);
  exports.Set("Buffer", constructor);
}

Buffer::Buffer(const Napi::CallbackInfo& info)
    : ObjectWrap(info), table_(AddonData::of(info.Env()).buffers()) {
  Napi::Env env = info.Env();
  if (info[0].IsArrayBuffer()) {
    allocation_ =
        borrow(env, info[0].As<Napi::ArrayBuffer>(), info[1].As<Napi::Number>().Int64Value(),
               info[2].As<Napi::Number>().Int64Value());
    id_ = table_->add(allocation_);
    return;
  }
  const int64_t bytes = info[0].As<Napi::Number>().Int64Value();
  allocation_ = Allocation::create(static_cast<size_t>(bytes));
  if (!allocation_) throw Napi::Error::New(env, "out of memory");
  id_ = table_->add(allocation_);
  accounted_ = bytes;
  Napi::MemoryManagement::AdjustExternalMemory(env, bytes);
}

Napi::Value Buffer::id(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), id_);
}

Napi::Value Buffer::view(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  if (!allocation_) return env.Undefined();
  if (!view_.IsEmpty()) {
    Napi::ArrayBuffer known = view_.Value();
    if (!known.IsEmpty()) return known;
  }
  auto* holder = new std::shared_ptr<Allocation>(allocation_);
  Napi::ArrayBuffer view = Napi::ArrayBuffer::New(
      env, allocation_->data(), allocation_->bytes(),
      [](Napi::BasicEnv, void*, std::shared_ptr<Allocation>* held) { delete held; }, holder);
  view_ = Napi::Weak(view);
  return view;
}

void Buffer::dispose(const Napi::CallbackInfo& info) {
  if (!allocation_) return;
  if (!view_.IsEmpty()) {
    Napi::ArrayBuffer view = view_.Value();
    if (!view.IsEmpty()) view.Detach();
    view_.Reset();
  }
  forget();
  Napi::MemoryManagement::AdjustExternalMemory(info.Env(), -accounted_);
  accounted_ = 0;
}

void Buffer::forget() {
  if (!allocation_) return;
  table_->remove(id_);
  allocation_.reset();
}

void Buffer::Finalize(Napi::BasicEnv env) {
  forget();
  if (accounted_ != 0) Napi::MemoryManagement::AdjustExternalMemory(env, -accounted_);
}

}  // namespace deepgemm
