// Modules, launches and tensor maps. A module may be any bytes; its kernels are those below.

#include <cstring>
#include <utility>

#include "stream_queue.h"

#define EXPORT extern "C" __attribute__((visibility("default")))

using namespace fake;

namespace {

struct Kernel {
  const char* name;
  // Reads the parameters at once and returns the work; the mutex is held when it runs.
  Job (*prepare)(void** parameters);
};

template <typename T>
T read(const void* from) {
  T value;
  std::memcpy(&value, from, sizeof(T));
  return value;
}

void* checked(CUdeviceptr address, size_t bytes) {
  if (is_live_memory(address, bytes)) return reinterpret_cast<void*>(address);
  world().lost = kIllegalAddress;
  return nullptr;
}

// fill(to, bytes: i64, value: u32)
Job fill(void** parameters) {
  const auto to = read<CUdeviceptr>(parameters[0]);
  const auto bytes = static_cast<size_t>(read<int64_t>(parameters[1]));
  const auto value = read<uint32_t>(parameters[2]);
  return [=] {
    if (void* data = checked(to, bytes)) std::memset(data, static_cast<int>(value), bytes);
  };
}

// copy(to, from, bytes: i64)
Job copy(void** parameters) {
  const auto to = read<CUdeviceptr>(parameters[0]);
  const auto from = read<CUdeviceptr>(parameters[1]);
  const auto bytes = static_cast<size_t>(read<int64_t>(parameters[2]));
  return [=] {
    void* target = checked(to, bytes);
    void* source = checked(from, bytes);
    if (target != nullptr && source != nullptr) std::memmove(target, source, bytes);
  };
}

// store_struct({ map: tensor map, to, a: i32, b: f32 }): writes 144 bytes of its own argument.
Job store_struct(void** parameters) {
  std::string bytes(static_cast<const char*>(parameters[0]), 144);
  const auto to = read<CUdeviceptr>(bytes.data() + 128);
  return [=] {
    if (void* data = checked(to, bytes.size())) std::memcpy(data, bytes.data(), bytes.size());
  };
}

// A kernel of the library: its one struct of arguments is kept for the test to look at.
template <size_t kBytes>
Job keep_arguments(void** parameters) {
  std::string bytes(static_cast<const char*>(parameters[0]), kBytes);
  return [bytes = std::move(bytes)] { world().last_arguments = bytes; };
}

// A kernel of the benchmark.
Job nothing(void**) {
  return [] {};
}

constexpr Kernel kKernels[] = {
    {"fill", fill},
    {"copy", copy},
    {"store_struct", store_struct},
    {"fp8_gemm", keep_arguments<832>},
    {"quantize_rows", keep_arguments<120>},
    {"quantize_tile", keep_arguments<120>},
    {"dequantize", keep_arguments<128>},
    {"bench_fill_e4m3", nothing},
    {"bench_fill_scales", nothing},
    {"bench_fill_f32", nothing},
    {"bench_fill_bf16", nothing},
    {"bench_poison", nothing},
    {"bench_check", nothing},
    {"bench_read", nothing},
    {"bench_pause", nothing},
    {"bench_empty", nothing},
    {"bench_peak", nothing},
    {"bench_peak_promoted", nothing},
    {"transpose_e4m3", keep_arguments<208>},
    {"relayout_scales", keep_arguments<136>},
    {"check_groups", keep_arguments<32>},
    {"moe_logits", keep_arguments<112>},
    {"moe_select", keep_arguments<96>},
    {"moe_route", keep_arguments<72>},
    {"moe_plan", keep_arguments<72>},
    {"moe_permute", keep_arguments<128>},
    {"moe_swiglu_quantize", keep_arguments<104>},
    {"moe_swiglu", keep_arguments<104>},
    {"moe_combine", keep_arguments<80>},
};

Launch describe(const CUlaunchConfig& config) {
  Launch launch{config, 1, false};
  for (uint32_t i = 0; i < config.attribute_count; i++) {
    const CUlaunchAttribute& attribute = config.attributes[i];
    const auto& cluster = attribute.value.cluster;
    if (attribute.id == 4) {
      launch.cluster_blocks = static_cast<int>(cluster[0] * cluster[1] * cluster[2]);
    }
    if (attribute.id == 6) launch.programmatic = attribute.value.flag != 0;
  }
  return launch;
}

}  // namespace

EXPORT CUresult cuModuleLoadData(CUmodule* module, const void* image) {
  if (CUresult status = begin("cuModuleLoadData")) return status;
  if (image == nullptr) return kInvalidValue;
  *module = reinterpret_cast<CUmodule>(new int(0));
  count_live("module", 1);
  return 0;
}

EXPORT CUresult cuModuleUnload(CUmodule module) {
  delete reinterpret_cast<int*>(module);
  count_live("module", -1);
  return release("cuModuleUnload");
}

EXPORT CUresult cuModuleGetFunction(CUfunction* function, CUmodule, const char* name) {
  if (CUresult status = begin("cuModuleGetFunction")) return status;
  for (const Kernel& kernel : kKernels) {
    if (std::strcmp(kernel.name, name) != 0) continue;
    *function = reinterpret_cast<CUfunction>(const_cast<Kernel*>(&kernel));
    return 0;
  }
  return kNotFound;
}

EXPORT CUresult cuFuncSetAttribute(CUfunction, int, int value) {
  if (CUresult status = begin("cuFuncSetAttribute")) return status;
  return value > (227 << 10) ? kInvalidValue : 0;
}

EXPORT CUresult cuFuncGetAttribute(int* value, int attribute, CUfunction) {
  if (CUresult status = begin("cuFuncGetAttribute")) return status;
  *value = 100 + attribute;
  return 0;
}

EXPORT CUresult cuLaunchKernelEx(const CUlaunchConfig* config, CUfunction function,
                                 void** parameters, void**) {
  if (CUresult status = begin("cuLaunchKernelEx")) return status;
  const uint32_t threads = config->block[0] * config->block[1] * config->block[2];
  if (threads == 0 || threads > 1024) return kInvalidValue;
  const Job work = reinterpret_cast<const Kernel*>(function)->prepare(parameters);
  {
    std::lock_guard lock(world().mutex);
    world().last_launch = describe(*config);
  }
  queue_of(config->stream).push([work] {
    std::lock_guard lock(world().mutex);
    const CUresult failure = std::exchange(world().next_kernel_fails, 0);
    if (failure == 0) return work();
    world().lost = failure;
  });
  return 0;
}

// Keeps its arguments where the driver would keep their encoding.
EXPORT CUresult cuTensorMapEncodeTiled(CUtensorMap* map, int type, uint32_t rank, void* address,
                                       const uint64_t* extents, const uint64_t* strides,
                                       const uint32_t* box, const uint32_t* steps, int, int swizzle,
                                       int promotion, int) {
  if (CUresult status = begin("cuTensorMapEncodeTiled")) return status;
  if (reinterpret_cast<uintptr_t>(map) % 64 != 0 || rank < 1 || rank > 5) return kInvalidValue;
  std::memset(map, 0, sizeof(*map));
  map->opaque[0] = reinterpret_cast<uint64_t>(address);
  map->opaque[1] = static_cast<uint64_t>(type) | uint64_t{rank} << 8 |
                   static_cast<uint64_t>(swizzle) << 16 | static_cast<uint64_t>(promotion) << 24;
  for (uint32_t i = 0; i < rank; i++) {
    map->opaque[2 + i] = extents[i];
    if (i + 1 < rank) map->opaque[7 + i] = strides[i];
    map->opaque[11 + i] = box[i] | uint64_t{steps[i]} << 32;
  }
  return 0;
}

EXPORT CUresult cuTensorMapReplaceAddress(CUtensorMap* map, void* address) {
  if (CUresult status = begin("cuTensorMapReplaceAddress")) return status;
  map->opaque[0] = reinterpret_cast<uint64_t>(address);
  return 0;
}
