#pragma once

#include <memory>
#include <string>

#include "api.h"
#include "failure.h"
#include "library.h"

namespace deepgemm::cuda {

template <typename Signature>
class Call;

// One entry point of a driver library. Calling it throws a Failure unless it succeeds.
template <typename... Args>
class Call<CUresult(Args...)> {
 public:
  Call(Library& library, const char* symbol)
      : symbol_(symbol),
        function_(reinterpret_cast<CUresult (*)(Args...)>(library.symbol(symbol))) {}

  void operator()(Args... args) const {
    if (const CUresult status = function_(args...)) throw Failure{symbol_, status};
  }

  // For answers that are no failures, and for releases, whose status nobody can act on.
  CUresult attempt(Args... args) const { return function_(args...); }

  const char* symbol() const { return symbol_; }
  bool exists() const { return function_ != nullptr; }

 private:
  const char* symbol_;
  CUresult (*function_)(Args...);
};

// The CUDA driver library. One per path and process; lives as long as the process.
struct Driver {
  explicit Driver(const std::string& path) : library(path) {}

  // The library at `path`, opened on first use. Check `library` before any call.
  static const Driver& at(const std::string& path);

  Library library;

  Call<CUresult(unsigned)> init{library, "cuInit"};
  Call<CUresult(int*)> driver_version{library, "cuDriverGetVersion"};
  Call<CUresult(CUresult, const char**)> error_name{library, "cuGetErrorName"};
  Call<CUresult(CUresult, const char**)> error_string{library, "cuGetErrorString"};

  Call<CUresult(int*)> device_count{library, "cuDeviceGetCount"};
  Call<CUresult(CUdevice*, int)> device_get{library, "cuDeviceGet"};
  Call<CUresult(char*, int, CUdevice)> device_name{library, "cuDeviceGetName"};
  Call<CUresult(size_t*, CUdevice)> device_memory{library, "cuDeviceTotalMem_v2"};
  Call<CUresult(int*, int, CUdevice)> device_attribute{library, "cuDeviceGetAttribute"};

  Call<CUresult(CUcontext*, CUdevice)> context_retain{library, "cuDevicePrimaryCtxRetain"};
  Call<CUresult(CUdevice)> context_release{library, "cuDevicePrimaryCtxRelease_v2"};
  Call<CUresult(CUcontext)> context_set{library, "cuCtxSetCurrent"};

  Call<CUresult(size_t*, size_t*)> memory_info{library, "cuMemGetInfo_v2"};
  Call<CUresult(CUmemoryPool*, const CUmemPoolProps*)> pool_create{library, "cuMemPoolCreate"};
  Call<CUresult(CUmemoryPool)> pool_destroy{library, "cuMemPoolDestroy"};
  Call<CUresult(CUmemoryPool, int, void*)> pool_set{library, "cuMemPoolSetAttribute"};
  Call<CUresult(CUmemoryPool, int, void*)> pool_get{library, "cuMemPoolGetAttribute"};
  Call<CUresult(CUmemoryPool, size_t)> pool_trim{library, "cuMemPoolTrimTo"};
  Call<CUresult(CUdeviceptr*, size_t, CUmemoryPool, CUstream)> memory_allocate{
      library, "cuMemAllocFromPoolAsync"};
  Call<CUresult(CUdeviceptr, CUstream)> memory_free{library, "cuMemFreeAsync"};
  Call<CUresult(void**, size_t, unsigned)> host_allocate{library, "cuMemHostAlloc"};
  Call<CUresult(void*)> host_free{library, "cuMemFreeHost"};

  Call<CUresult(CUdeviceptr, unsigned char, size_t, CUstream)> fill{library, "cuMemsetD8Async"};
  Call<CUresult(CUdeviceptr, size_t, unsigned char, size_t, size_t, CUstream)> fill_rows{
      library, "cuMemsetD2D8Async"};
  Call<CUresult(CUdeviceptr, const void*, size_t, CUstream)> upload{library,
                                                                    "cuMemcpyHtoDAsync_v2"};
  Call<CUresult(void*, CUdeviceptr, size_t, CUstream)> download{library, "cuMemcpyDtoHAsync_v2"};

  Call<CUresult(CUstream*, unsigned)> stream_create{library, "cuStreamCreate"};
  Call<CUresult(CUstream)> stream_destroy{library, "cuStreamDestroy_v2"};
  Call<CUresult(CUstream)> stream_query{library, "cuStreamQuery"};
  Call<CUresult(CUstream)> stream_synchronize{library, "cuStreamSynchronize"};
  Call<CUresult(CUstream, CUevent, unsigned)> stream_wait{library, "cuStreamWaitEvent"};
  Call<CUresult(CUstream, int)> capture_begin{library, "cuStreamBeginCapture_v2"};
  Call<CUresult(CUstream, CUgraph*)> capture_end{library, "cuStreamEndCapture"};

  Call<CUresult(CUevent*, unsigned)> event_create{library, "cuEventCreate"};
  Call<CUresult(CUevent)> event_destroy{library, "cuEventDestroy_v2"};
  Call<CUresult(CUevent, CUstream)> event_record{library, "cuEventRecord"};
  Call<CUresult(CUevent)> event_query{library, "cuEventQuery"};
  Call<CUresult(CUevent)> event_synchronize{library, "cuEventSynchronize"};
  Call<CUresult(float*, CUevent, CUevent)> event_elapsed{library, "cuEventElapsedTime"};

  Call<CUresult(CUgraphExec*, CUgraph, unsigned long long)> graph_instantiate{
      library, "cuGraphInstantiateWithFlags"};
  Call<CUresult(CUgraph)> graph_destroy{library, "cuGraphDestroy"};
  Call<CUresult(CUgraphExec, CUstream)> graph_launch{library, "cuGraphLaunch"};
  Call<CUresult(CUgraphExec)> graph_exec_destroy{library, "cuGraphExecDestroy"};

  Call<CUresult(CUmodule*, const void*)> module_load{library, "cuModuleLoadData"};
  Call<CUresult(CUmodule)> module_unload{library, "cuModuleUnload"};
  Call<CUresult(CUfunction*, CUmodule, const char*)> module_function{library,
                                                                     "cuModuleGetFunction"};
  Call<CUresult(CUfunction, int, int)> function_set{library, "cuFuncSetAttribute"};
  Call<CUresult(int*, int, CUfunction)> function_get{library, "cuFuncGetAttribute"};
  Call<CUresult(const CUlaunchConfig*, CUfunction, void**, void**)> launch{library,
                                                                           "cuLaunchKernelEx"};
  Call<CUresult(CUtensorMap*, int, uint32_t, void*, const uint64_t*, const uint64_t*,
                const uint32_t*, const uint32_t*, int, int, int, int)>
      tensor_map_encode{library, "cuTensorMapEncodeTiled"};
  Call<CUresult(CUtensorMap*, void*)> tensor_map_move{library, "cuTensorMapReplaceAddress"};
};

}  // namespace deepgemm::cuda
