#include "js_device.h"

#include "../addon_data.h"
#include "error.h"

namespace deepgemm::cuda {

void Device::define(Napi::Env env, Napi::Object exports) {
  exports.Set("Device", DefineClass(env, "CudaDevice",
                                    {InstanceMethod<&Device::memory_info>("memoryInfo"),
                                     InstanceMethod<&Device::trim>("trim"),
                                     InstanceMethod<&Device::dispose>("dispose")}));
}

Device::Device(const Napi::CallbackInfo& info)
    : ObjectWrap(info), janitor_(std::make_shared<StreamCore>()) {
  const Driver& driver = Driver::at(info[0].As<Napi::String>());
  const int ordinal = info[1].As<Napi::Number>().Int32Value();
  context_ = guarded(info.Env(), driver, [&] { return Context::open(driver, ordinal); });
  AddonData::of(info.Env()).track(janitor_);
}

Device::~Device() { janitor_->close(); }

// memoryInfo(): bytes { free, total } of the device and { reserved } of this device's pool.
Napi::Value Device::memory_info(const Napi::CallbackInfo& info) {
  const Driver& driver = context_->driver();
  size_t free = 0;
  size_t total = 0;
  uint64_t reserved = 0;
  guarded(info.Env(), driver, [&] {
    context_->enter();
    driver.memory_info(&free, &total);
    driver.pool_get(context_->pool(), kPoolReservedBytes, &reserved);
  });
  Napi::Object result = Napi::Object::New(info.Env());
  result.Set("free", static_cast<double>(free));
  result.Set("total", static_cast<double>(total));
  result.Set("reserved", static_cast<double>(reserved));
  return result;
}

// trim(): gives memory that the pool keeps for later back to the device.
void Device::trim(const Napi::CallbackInfo& info) {
  guarded(info.Env(), context_->driver(), [&] {
    context_->enter();
    context_->driver().pool_trim(context_->pool(), 0);
  });
}

// Whatever is left on the device keeps the context until it goes as well.
void Device::dispose(const Napi::CallbackInfo&) {
  context_.reset();
  janitor_->close();
}

}  // namespace deepgemm::cuda
