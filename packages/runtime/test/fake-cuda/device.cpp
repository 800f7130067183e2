// Devices, contexts and error names.

#include <cstring>

#include "world.h"

#define EXPORT extern "C" __attribute__((visibility("default")))

using namespace fake;

EXPORT CUresult cuInit(unsigned) { return begin("cuInit", false); }

EXPORT CUresult cuDriverGetVersion(int* version) {
  if (CUresult status = begin("cuDriverGetVersion", false)) return status;
  *version = world().properties.version;
  return 0;
}

EXPORT CUresult cuGetErrorName(CUresult status, const char** name) {
  if (CUresult failure = begin("cuGetErrorName", false)) return failure;
  static const std::map<CUresult, const char*> names = {
      {1, "CUDA_ERROR_INVALID_VALUE"},
      {2, "CUDA_ERROR_OUT_OF_MEMORY"},
      {100, "CUDA_ERROR_NO_DEVICE"},
      {201, "CUDA_ERROR_INVALID_CONTEXT"},
      {209, "CUDA_ERROR_NO_BINARY_FOR_GPU"},
      {400, "CUDA_ERROR_INVALID_HANDLE"},
      {500, "CUDA_ERROR_NOT_FOUND"},
      {600, "CUDA_ERROR_NOT_READY"},
      {700, "CUDA_ERROR_ILLEGAL_ADDRESS"},
      {719, "CUDA_ERROR_LAUNCH_FAILED"},
      {900, "CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED"},
      {999, "CUDA_ERROR_UNKNOWN"}};
  const auto found = names.find(status);
  if (found == names.end()) return kInvalidValue;
  *name = found->second;
  return 0;
}

EXPORT CUresult cuGetErrorString(CUresult, const char** text) {
  if (CUresult failure = begin("cuGetErrorString", false)) return failure;
  *text = "as the fake driver was told";
  return 0;
}

EXPORT CUresult cuDeviceGetCount(int* count) {
  if (CUresult status = begin("cuDeviceGetCount", false)) return status;
  *count = world().properties.devices;
  return 0;
}

EXPORT CUresult cuDeviceGet(CUdevice* device, int ordinal) {
  if (CUresult status = begin("cuDeviceGet", false)) return status;
  if (ordinal < 0 || ordinal >= world().properties.devices) return 101;
  *device = ordinal;
  return 0;
}

EXPORT CUresult cuDeviceGetName(char* name, int bytes, CUdevice) {
  if (CUresult status = begin("cuDeviceGetName", false)) return status;
  std::strncpy(name, "Fake H100", static_cast<size_t>(bytes));
  return 0;
}

EXPORT CUresult cuDeviceTotalMem_v2(size_t* bytes, CUdevice) {
  if (CUresult status = begin("cuDeviceTotalMem_v2", false)) return status;
  *bytes = world().properties.memory_bytes;
  return 0;
}

EXPORT CUresult cuDeviceGetAttribute(int* value, int attribute, CUdevice) {
  if (CUresult status = begin("cuDeviceGetAttribute", false)) return status;
  const Properties& properties = world().properties;
  const std::map<int, int> values = {{16, 132},
                                     {38, 50 << 20},
                                     {75, properties.major},
                                     {76, properties.minor},
                                     {97, 227 << 10},
                                     {115, properties.pools ? 1 : 0}};
  const auto found = values.find(attribute);
  if (found == values.end()) return kInvalidValue;
  *value = found->second;
  return 0;
}

EXPORT CUresult cuDevicePrimaryCtxRetain(CUcontext* context, CUdevice device) {
  if (CUresult status = begin("cuDevicePrimaryCtxRetain", false)) return status;
  if (world().lost != 0) return world().lost;
  *context = reinterpret_cast<CUcontext>(uintptr_t{0x1000} + static_cast<uintptr_t>(device));
  count_live("context", 1);
  return 0;
}

EXPORT CUresult cuDevicePrimaryCtxRelease_v2(CUdevice) {
  count_live("context", -1);
  return release("cuDevicePrimaryCtxRelease_v2");
}

EXPORT CUresult cuCtxSetCurrent(CUcontext context) {
  if (CUresult status = begin("cuCtxSetCurrent", false)) return status;
  has_context() = context != nullptr;
  return 0;
}
