#include <utility>

#include "error.h"
#include "js_device.h"
#include "js_memory.h"
#include "js_stream.h"

namespace deepgemm::cuda {

void Pinned::define(Napi::Env env, Napi::Object exports) {
  exports.Set("Pinned", DefineClass(env, "CudaPinned",
                                    {InstanceMethod<&Pinned::view>("view"),
                                     InstanceMethod<&Pinned::dispose>("dispose")}));
}

Pinned::Pinned(const Napi::CallbackInfo& info)
    : ObjectWrap(info), janitor_(Device::of(info[0]).janitor()) {
  const auto& context = Device::of(info[0]).context();
  const auto bytes = static_cast<size_t>(info[1].As<Napi::Number>().Int64Value());
  memory_ =
      guarded(info.Env(), context->driver(), [&] { return HostMemory::create(context, bytes); });
  accounted_ = static_cast<int64_t>(bytes);
  Napi::MemoryManagement::AdjustExternalMemory(info.Env(), accounted_);
}

// The memory itself; dispose detaches it.
Napi::Value Pinned::view(const Napi::CallbackInfo& info) {
  if (!view_.IsEmpty()) {
    Napi::ArrayBuffer known = view_.Value();
    if (!known.IsEmpty()) return known;
  }
  if (!viewed_) viewed_ = std::make_shared<std::shared_ptr<HostMemory>>(memory_);
  using Hold = decltype(viewed_);
  Napi::ArrayBuffer view = Napi::ArrayBuffer::New(
      info.Env(), memory_->data(), memory_->bytes(),
      [](Napi::BasicEnv, void*, Hold* hold) { delete hold; }, new Hold(viewed_));
  view_ = Napi::Weak(view);
  return view;
}

void Pinned::dispose(const Napi::CallbackInfo& info) {
  if (!view_.IsEmpty()) {
    Napi::ArrayBuffer view = view_.Value();
    if (!view.IsEmpty()) view.Detach();
    view_.Reset();
  }
  if (viewed_) viewed_->reset();
  viewed_.reset();
  retire(*janitor_, std::exchange(memory_, {}));
  Napi::MemoryManagement::AdjustExternalMemory(info.Env(), -std::exchange(accounted_, 0));
}

void Pinned::Finalize(Napi::BasicEnv env) {
  if (accounted_ != 0) Napi::MemoryManagement::AdjustExternalMemory(env, -accounted_);
}

namespace {

// All copies: (stream, to, toOffset, from, fromOffset, bytes).
struct CopyCall {
  explicit CopyCall(const Napi::CallbackInfo& info)
      : stream(Stream::of(info[0]).handle()),
        to_offset(static_cast<size_t>(info[2].As<Napi::Number>().Int64Value())),
        from_offset(static_cast<size_t>(info[4].As<Napi::Number>().Int64Value())),
        bytes(static_cast<size_t>(info[5].As<Napi::Number>().Int64Value())) {}

  std::shared_ptr<StreamHandle> stream;
  size_t to_offset;
  size_t from_offset;
  size_t bytes;
};

template <typename To, typename From, typename Work>
void copy_with(const Napi::CallbackInfo& info, To& to, From& from, Work work) {
  const CopyCall call(info);
  guarded(info.Env(), call.stream->driver(), [&] {
    call.stream->context()->enter();
    to.get()->use(call.stream);
    from.get()->use(call.stream);
    work(call.stream->driver(), call);
  });
}

void copy_in(const Napi::CallbackInfo& info) {
  Memory& to = Memory::of(info[1]);
  Pinned& from = Pinned::of(info[3]);
  copy_with(info, to, from, [&](const Driver& driver, const CopyCall& call) {
    driver.upload(to.get()->address() + call.to_offset, from.get()->data() + call.from_offset,
                  call.bytes, call.stream->get());
  });
}

void copy_out(const Napi::CallbackInfo& info) {
  Pinned& to = Pinned::of(info[1]);
  Memory& from = Memory::of(info[3]);
  copy_with(info, to, from, [&](const Driver& driver, const CopyCall& call) {
    driver.download(to.get()->data() + call.to_offset, from.get()->address() + call.from_offset,
                    call.bytes, call.stream->get());
  });
}

// zeroRows(stream, memory, offset, pitch, bytes, rows): `bytes` of every row.
void zero_rows(const Napi::CallbackInfo& info) {
  const auto& stream = Stream::of(info[0]).handle();
  const auto& memory = Memory::of(info[1]).get();
  const auto number = [&](size_t i) {
    return static_cast<size_t>(info[i].As<Napi::Number>().Int64Value());
  };
  guarded(info.Env(), stream->driver(), [&] {
    stream->context()->enter();
    memory->use(stream);
    stream->driver().fill_rows(memory->address() + number(2), number(3), 0, number(4), number(5),
                               stream->get());
  });
}

}  // namespace

void define_copies(Napi::Env env, Napi::Object exports) {
  exports.Set("zeroRows", Napi::Function::New(env, zero_rows));
  exports.Set("copyIn", Napi::Function::New(env, copy_in));
  exports.Set("copyOut", Napi::Function::New(env, copy_out));
}

}  // namespace deepgemm::cuda
