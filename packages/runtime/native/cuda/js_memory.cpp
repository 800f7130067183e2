#include "js_memory.h"

#include <utility>

#include "../buffer.h"
#include "../stream.h"
#include "error.h"
#include "js_device.h"
#include "js_stream.h"

namespace deepgemm::cuda {

void Memory::define(Napi::Env env, Napi::Object exports) {
  exports.Set("Memory", DefineClass(env, "CudaMemory",
                                    {InstanceMethod<&Memory::read>("read"),
                                     InstanceMethod<&Memory::write>("write"),
                                     InstanceMethod<&Memory::dispose>("dispose")}));
}

Memory::Memory(const Napi::CallbackInfo& info)
    : ObjectWrap(info), janitor_(Device::of(info[0]).janitor()) {
  const auto& stream = Stream::of(info[1]).handle();
  const auto bytes = static_cast<size_t>(info[2].As<Napi::Number>().Int64Value());
  // Undefined: zeros; null: whatever is there.
  const void* source = info[3].IsTypedArray() ? info[3].As<Napi::Uint8Array>().Data() : nullptr;
  using Contents = DeviceMemory::Contents;
  const Contents contents = info[3].IsNull() ? Contents::kAny : Contents::kZeros;
  memory_ = guarded(info.Env(), stream->driver(),
                    [&] { return DeviceMemory::create(stream, bytes, source, contents); });
}

// read(waiter, offset, bytes, target: Buffer): the waiter's next job copies out of the memory once
// the work enqueued on it so far is done.
void Memory::read(const Napi::CallbackInfo& info) {
  const Driver& driver = memory_->context()->driver();
  auto& waiter = deepgemm::Stream::Unwrap(info[0].As<Napi::Object>())->core();
  const auto offset = static_cast<size_t>(info[1].As<Napi::Number>().Int64Value());
  const auto bytes = static_cast<size_t>(info[2].As<Napi::Number>().Int64Value());
  auto target = Buffer::Unwrap(info[3].As<Napi::Object>())->allocation();
  auto marks = guarded(info.Env(), driver, [&] {
    memory_->context()->enter();
    return memory_->marks();
  });
  waiter.enqueue([=, &driver, memory = memory_] {
    return guarded_job(driver, [&] { memory->read(offset, target->data(), bytes, marks); });
  });
}

// write(waiter, offset, source: Buffer): the same the other way.
void Memory::write(const Napi::CallbackInfo& info) {
  const Driver& driver = memory_->context()->driver();
  auto& waiter = deepgemm::Stream::Unwrap(info[0].As<Napi::Object>())->core();
  const auto offset = static_cast<size_t>(info[1].As<Napi::Number>().Int64Value());
  auto source = Buffer::Unwrap(info[2].As<Napi::Object>())->allocation();
  auto marks = guarded(info.Env(), driver, [&] {
    memory_->context()->enter();
    return memory_->marks();
  });
  waiter.enqueue([=, &driver, memory = memory_] {
    return guarded_job(driver,
                       [&] { memory->write(offset, source->data(), source->bytes(), marks); });
  });
}

void Memory::dispose(const Napi::CallbackInfo&) {
  if (memory_) memory_->release();
  retire(*janitor_, std::exchange(memory_, {}));
}

}  // namespace deepgemm::cuda
