#include <vector>

#include "arguments.h"
#include "error.h"
#include "js_cuda.h"
#include "js_memory.h"
#include "js_module.h"
#include "js_stream.h"

namespace deepgemm::cuda {
namespace {

// Grid, block and attributes of a launch.
struct Geometry {
  Geometry(Numbers& numbers, CUstream stream) {
    for (uint32_t& extent : config.grid) extent = numbers.u32();
    for (uint32_t& extent : config.block) extent = numbers.u32();
    CUlaunchAttribute cluster{};
    cluster.id = kClusterDimension;
    for (uint32_t& extent : cluster.value.cluster) extent = numbers.u32();
    config.shared_bytes = numbers.u32();
    config.stream = stream;
    config.attributes = attributes;
    const auto& blocks = cluster.value.cluster;
    if (blocks[0] * blocks[1] * blocks[2] > 1) attributes[config.attribute_count++] = cluster;
    if (numbers.flag()) {
      CUlaunchAttribute& overlap = attributes[config.attribute_count++];
      overlap.id = kProgrammaticSerialization;
      overlap.value.flag = 1;
    }
  }

  CUlaunchConfig config{};
  CUlaunchAttribute attributes[2]{};
};

std::vector<std::shared_ptr<DeviceMemory>> memories_of(const Napi::Value& value) {
  Napi::Array list = value.As<Napi::Array>();
  std::vector<std::shared_ptr<DeviceMemory>> memories;
  memories.reserve(list.Length());
  for (uint32_t i = 0; i < list.Length(); i++) {
    memories.push_back(Memory::of(Napi::Value(list[i])).get());
  }
  return memories;
}

// launch(stream, function, numbers: Float64Array, memories). Numbers: grid 3, block 3, cluster 3,
// dynamic shared bytes, programmatic serialization, arguments as one struct, argument count, then
// the arguments.
void launch(const Napi::CallbackInfo& info) {
  const auto& stream = Stream::of(info[0]).handle();
  const Function& function = Function::of(info[1]);
  Numbers numbers(info[2].As<Napi::Float64Array>().Data());
  const auto memories = memories_of(info[3]);
  const Driver& driver = stream->driver();
  guarded(info.Env(), driver, [&] {
    stream->context()->enter();
    const Geometry geometry(numbers, stream->get());
    const bool as_struct = numbers.flag();
    const uint32_t count = numbers.u32();
    Arguments arguments(driver, numbers, memories, count);
    for (const auto& memory : memories) memory->use(stream);
    function.module()->use(stream);
    driver.launch(&geometry.config, function.get(), arguments.pointers(as_struct), nullptr);
  });
}

}  // namespace

void define_launch(Napi::Env env, Napi::Object exports) {
  exports.Set("launch", Napi::Function::New(env, launch));
}

}  // namespace deepgemm::cuda
