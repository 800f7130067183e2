#include <string>
#include <vector>

#include "error.h"
#include "js_cuda.h"

namespace deepgemm::cuda {
namespace {

int attribute_of(const Driver& driver, CUdevice device, int attribute) {
  int value = 0;
  driver.device_attribute(&value, attribute, device);
  return value;
}

Napi::Object describe(Napi::Env env, const Driver& driver, int ordinal) {
  CUdevice device = 0;
  driver.device_get(&device, ordinal);
  char name[256] = {};
  driver.device_name(name, sizeof(name) - 1, device);
  size_t bytes = 0;
  driver.device_memory(&bytes, device);
  Napi::Object result = Napi::Object::New(env);
  result.Set("name", name);
  result.Set("major", attribute_of(driver, device, kCapabilityMajor));
  result.Set("minor", attribute_of(driver, device, kCapabilityMinor));
  result.Set("multiprocessors", attribute_of(driver, device, kMultiprocessorCount));
  result.Set("sharedBytes", attribute_of(driver, device, kSharedBytesOptIn));
  result.Set("l2Bytes", attribute_of(driver, device, kL2CacheBytes));
  result.Set("memoryPools", attribute_of(driver, device, kMemoryPoolsSupported) != 0);
  result.Set("memoryBytes", static_cast<double>(bytes));
  return result;
}

Napi::Array names(Napi::Env env, const std::vector<std::string>& list) {
  Napi::Array result = Napi::Array::New(env, list.size());
  for (uint32_t i = 0; i < list.size(); i++) result.Set(i, list[i]);
  return result;
}

// The entry points that an older driver has as well; without them there is nothing to ask.
bool can_answer(const Driver& driver) {
  return driver.init.exists() && driver.driver_version.exists() && driver.device_count.exists() &&
         driver.device_get.exists() && driver.device_name.exists() &&
         driver.device_memory.exists() && driver.device_attribute.exists() &&
         driver.error_name.exists() && driver.error_string.exists();
}

// probe(path): what the library at `path` says of itself and its devices.
//   { problem } when it does not load or is no driver,
//   else { version: 1000 × major + 10 × minor, missing: entry points, devices }.
Napi::Value probe(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  const Driver& driver = Driver::at(info[0].As<Napi::String>());
  Napi::Object result = Napi::Object::New(env);
  if (!driver.library.loaded() || !can_answer(driver)) {
    result.Set("problem", driver.library.loaded() ? "it is not a CUDA driver library"
                                                  : driver.library.reason());
    return result;
  }
  guarded(env, driver, [&] {
    int version = 0;
    int count = 0;
    driver.init(0);
    driver.driver_version(&version);
    driver.device_count(&count);
    Napi::Array devices = Napi::Array::New(env);
    for (int i = 0; i < count; i++) devices.Set(i, describe(env, driver, i));
    result.Set("version", version);
    result.Set("missing", names(env, driver.library.missing()));
    result.Set("devices", devices);
  });
  return result;
}

}  // namespace

void define_probe(Napi::Env env, Napi::Object exports) {
  exports.Set("probe", Napi::Function::New(env, probe));
}

}  // namespace deepgemm::cuda
