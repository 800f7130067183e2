// Pools, device memory, page-locked memory and copies.

#include <cstdlib>
#include <cstring>

#include "stream_queue.h"

#define EXPORT extern "C" __attribute__((visibility("default")))

using namespace fake;

namespace {

// A copy or fill between these ranges; a range that is not device memory any more loses the device,
// as a wild access does.
CUresult enqueue(const char* call, CUstream stream, CUdeviceptr a, CUdeviceptr b, size_t bytes,
                 Job work) {
  if (CUresult status = begin(call)) return status;
  queue_of(stream).push([=] {
    std::lock_guard lock(world().mutex);
    if (is_live_memory(a, bytes) && is_live_memory(b, bytes)) return work();
    world().lost = kIllegalAddress;
  });
  return 0;
}

}  // namespace

EXPORT CUresult cuMemGetInfo_v2(size_t* free, size_t* total) {
  if (CUresult status = begin("cuMemGetInfo_v2")) return status;
  std::lock_guard lock(world().mutex);
  *total = world().properties.memory_bytes;
  *free = *total - world().memory_used;
  return 0;
}

EXPORT CUresult cuMemPoolCreate(CUmemoryPool* pool, const CUmemPoolProps* props) {
  if (CUresult status = begin("cuMemPoolCreate")) return status;
  if (props->alloc_type != 1 || props->location_type != 1) return kInvalidValue;
  *pool = reinterpret_cast<CUmemoryPool>(new int(0));
  count_live("pool", 1);
  return 0;
}

EXPORT CUresult cuMemPoolDestroy(CUmemoryPool pool) {
  delete reinterpret_cast<int*>(pool);
  count_live("pool", -1);
  return release("cuMemPoolDestroy");
}

EXPORT CUresult cuMemPoolSetAttribute(CUmemoryPool, int, void*) {
  return begin("cuMemPoolSetAttribute");
}

EXPORT CUresult cuMemPoolGetAttribute(CUmemoryPool, int, void* value) {
  if (CUresult status = begin("cuMemPoolGetAttribute")) return status;
  std::lock_guard lock(world().mutex);
  *static_cast<uint64_t*>(value) = world().memory_used;
  return 0;
}

EXPORT CUresult cuMemPoolTrimTo(CUmemoryPool, size_t) { return begin("cuMemPoolTrimTo"); }

EXPORT CUresult cuMemAllocFromPoolAsync(CUdeviceptr* address, size_t bytes, CUmemoryPool,
                                        CUstream stream) {
  if (CUresult status = begin("cuMemAllocFromPoolAsync")) return status;
  if (queue_of(stream).capturing()) return kInvalidValue;
  std::lock_guard lock(world().mutex);
  if (bytes > world().properties.memory_bytes - world().memory_used) return kOutOfMemory;
  // Poisoned, so that memory that nobody zeroed shows.
  void* data = std::malloc(bytes);
  std::memset(data, 0xa5, bytes);
  *address = reinterpret_cast<CUdeviceptr>(data);
  world().memory[*address] = bytes;
  world().memory_used += bytes;
  world().live["memory"]++;
  return 0;
}

EXPORT CUresult cuMemFreeAsync(CUdeviceptr address, CUstream stream) {
  const CUresult status = release("cuMemFreeAsync");
  if (queue_of(stream).spoils_capture()) return kCaptureUnsupported;
  queue_of(stream).push(
      [=] {
        std::lock_guard lock(world().mutex);
        const auto found = world().memory.find(address);
        if (found == world().memory.end()) {
          world().lost = kIllegalAddress;
          return;
        }
        world().memory_used -= found->second;
        world().memory.erase(found);
        world().live["memory"]--;
        std::free(reinterpret_cast<void*>(address));
      },
      true);
  return status;
}

EXPORT CUresult cuMemHostAlloc(void** data, size_t bytes, unsigned) {
  if (CUresult status = begin("cuMemHostAlloc")) return status;
  *data = std::malloc(bytes);
  count_live("host", 1);
  return 0;
}

EXPORT CUresult cuMemFreeHost(void* data) {
  std::free(data);
  count_live("host", -1);
  return release("cuMemFreeHost");
}

EXPORT CUresult cuMemsetD8Async(CUdeviceptr to, unsigned char value, size_t bytes,
                                CUstream stream) {
  return enqueue("cuMemsetD8Async", stream, to, to, bytes,
                 [=] { std::memset(reinterpret_cast<void*>(to), value, bytes); });
}

EXPORT CUresult cuMemsetD2D8Async(CUdeviceptr to, size_t pitch, unsigned char value, size_t width,
                                  size_t height, CUstream stream) {
  const size_t bytes = height == 0 ? 0 : (height - 1) * pitch + width;
  return enqueue("cuMemsetD2D8Async", stream, to, to, bytes, [=] {
    for (size_t row = 0; row < height; row++) {
      std::memset(reinterpret_cast<char*>(to) + row * pitch, value, width);
    }
  });
}

// Takes the source at once, as the driver does with pageable memory.
EXPORT CUresult cuMemcpyHtoDAsync_v2(CUdeviceptr to, const void* from, size_t bytes,
                                     CUstream stream) {
  const auto* data = static_cast<const char*>(from);
  return enqueue("cuMemcpyHtoDAsync_v2", stream, to, to, bytes,
                 [to, bytes, taken = std::string(data, bytes)] {
                   std::memcpy(reinterpret_cast<void*>(to), taken.data(), bytes);
                 });
}

EXPORT CUresult cuMemcpyDtoHAsync_v2(void* to, CUdeviceptr from, size_t bytes, CUstream stream) {
  return enqueue("cuMemcpyDtoHAsync_v2", stream, from, from, bytes,
                 [=] { std::memcpy(to, reinterpret_cast<const void*>(from), bytes); });
}
