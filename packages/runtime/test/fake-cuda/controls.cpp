// The library is also an addon: loaded by its path, it lets a test set faults and look inside.

#include <napi.h>

#include "world.h"

namespace {

using fake::world;

template <typename Map>
Napi::Object to_object(Napi::Env env, const Map& map) {
  Napi::Object result = Napi::Object::New(env);
  for (const auto& [name, count] : map) result.Set(name, static_cast<double>(count));
  return result;
}

// reset(): no faults, no delays, device found again. Objects that live stay.
void reset(const Napi::CallbackInfo&) {
  std::lock_guard lock(world().mutex);
  world().properties = {};
  world().calls.clear();
  world().faults.clear();
  world().delay_ms = 0;
  world().work_delay_ms = 0;
  world().next_kernel_fails = 0;
  world().lost = 0;
  world().last_launch.reset();
}

// configure({ version?, devices?, major?, minor?, pools?, memoryBytes? })
void configure(const Napi::CallbackInfo& info) {
  Napi::Object given = info[0].As<Napi::Object>();
  std::lock_guard lock(world().mutex);
  fake::Properties& it = world().properties;
  const auto number = [&](const char* name, double otherwise) {
    return given.Has(name) ? given.Get(name).ToNumber().DoubleValue() : otherwise;
  };
  it.version = static_cast<int>(number("version", it.version));
  it.devices = static_cast<int>(number("devices", it.devices));
  it.major = static_cast<int>(number("major", it.major));
  it.minor = static_cast<int>(number("minor", it.minor));
  it.pools = number("pools", it.pools) != 0;
  it.memory_bytes =
      static_cast<uint64_t>(number("memoryBytes", static_cast<double>(it.memory_bytes)));
}

// fail(call, nth, status): the nth of that call from now on.
void fail(const Napi::CallbackInfo& info) {
  const std::string call = info[0].As<Napi::String>();
  std::lock_guard lock(world().mutex);
  const uint64_t nth = info[1].As<Napi::Number>().Uint32Value();
  world().faults[call] = {world().calls[call] + nth, info[2].As<Napi::Number>().Int32Value()};
}

// failLater(status): the next kernel that runs fails.
void fail_later(const Napi::CallbackInfo& info) {
  std::lock_guard lock(world().mutex);
  world().next_kernel_fails = info[0].As<Napi::Number>().Int32Value();
}

// slow(callMilliseconds, workMilliseconds): every call, and every piece of work on a stream.
void slow(const Napi::CallbackInfo& info) {
  std::lock_guard lock(world().mutex);
  world().delay_ms = info[0].As<Napi::Number>().Int32Value();
  world().work_delay_ms = info[1].As<Napi::Number>().Int32Value();
}

Napi::Value calls(const Napi::CallbackInfo& info) {
  std::lock_guard lock(world().mutex);
  return to_object(info.Env(), world().calls);
}

Napi::Value live(const Napi::CallbackInfo& info) {
  std::lock_guard lock(world().mutex);
  return to_object(info.Env(), world().live);
}

// lastLaunch(): { grid, block, sharedBytes, clusterBlocks, programmatic }
Napi::Value last_launch(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  std::lock_guard lock(world().mutex);
  if (!world().last_launch) return env.Undefined();
  const fake::Launch& launch = *world().last_launch;
  const auto triple = [&](const uint32_t* values) {
    Napi::Array list = Napi::Array::New(env, 3);
    for (uint32_t i = 0; i < 3; i++) list.Set(i, values[i]);
    return list;
  };
  Napi::Object result = Napi::Object::New(env);
  result.Set("grid", triple(launch.config.grid));
  result.Set("block", triple(launch.config.block));
  result.Set("sharedBytes", launch.config.shared_bytes);
  result.Set("clusterBlocks", launch.cluster_blocks);
  result.Set("programmatic", launch.programmatic);
  return result;
}

// lastArguments(): the bytes of the struct that the last kernel of the library was given.
Napi::Value last_arguments(const Napi::CallbackInfo& info) {
  std::lock_guard lock(world().mutex);
  const std::string& bytes = world().last_arguments;
  return Napi::Buffer<char>::Copy(info.Env(), bytes.data(), bytes.size());
}

Napi::Object init(Napi::Env env, Napi::Object exports) {
  exports.Set("reset", Napi::Function::New(env, reset));
  exports.Set("configure", Napi::Function::New(env, configure));
  exports.Set("fail", Napi::Function::New(env, fail));
  exports.Set("failLater", Napi::Function::New(env, fail_later));
  exports.Set("slow", Napi::Function::New(env, slow));
  exports.Set("calls", Napi::Function::New(env, calls));
  exports.Set("live", Napi::Function::New(env, live));
  exports.Set("lastArguments", Napi::Function::New(env, last_arguments));
  exports.Set("lastLaunch", Napi::Function::New(env, last_launch));
  return exports;
}

}  // namespace

NODE_API_MODULE(fake_cuda, init)
