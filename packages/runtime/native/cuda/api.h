#pragma once

#include <cstddef>
#include <cstdint>

// The part of the CUDA driver's binary interface that this library uses, declared here so that the
// addon builds without CUDA headers. Names, values and layouts are the driver's.
extern "C" {

using CUresult = int;
using CUdevice = int;
using CUdeviceptr = uint64_t;
using CUcontext = struct CUctx_st*;
using CUstream = struct CUstream_st*;
using CUevent = struct CUevent_st*;
using CUmodule = struct CUmod_st*;
using CUfunction = struct CUfunc_st*;
using CUgraph = struct CUgraph_st*;
using CUgraphExec = struct CUgraphExec_st*;
using CUmemoryPool = struct CUmemPoolHandle_st*;

struct CUmemPoolProps {
  int alloc_type;
  int handle_types;
  int location_type;
  int location_id;
  void* security_attributes;
  size_t max_size;
  uint16_t usage;
  unsigned char reserved[54];
};

struct CUlaunchAttribute {
  int id;
  char padding[4];
  union {
    char bytes[64];
    uint32_t cluster[3];
    int flag;
  } value;
};

struct CUlaunchConfig {
  uint32_t grid[3];
  uint32_t block[3];
  uint32_t shared_bytes;
  CUstream stream;
  CUlaunchAttribute* attributes;
  uint32_t attribute_count;
};

struct alignas(64) CUtensorMap {
  uint64_t opaque[16];
};

}  // extern "C"

static_assert(sizeof(CUmemPoolProps) == 88);
static_assert(sizeof(CUlaunchAttribute) == 72);
static_assert(sizeof(CUlaunchConfig) == 56);
static_assert(sizeof(CUtensorMap) == 128);

namespace deepgemm::cuda {

// CUresult
inline constexpr CUresult kSuccess = 0;
inline constexpr CUresult kNotReady = 600;

// CUdevice_attribute
inline constexpr int kMultiprocessorCount = 16;
inline constexpr int kL2CacheBytes = 38;
inline constexpr int kCapabilityMajor = 75;
inline constexpr int kCapabilityMinor = 76;
inline constexpr int kSharedBytesOptIn = 97;
inline constexpr int kMemoryPoolsSupported = 115;

// CUfunction_attribute
inline constexpr int kMaxThreadsPerBlock = 0;
inline constexpr int kStaticSharedBytes = 1;
inline constexpr int kLocalBytes = 3;
inline constexpr int kRegisters = 4;
inline constexpr int kMaxDynamicSharedBytes = 8;
inline constexpr int kNonPortableCluster = 14;

// Flags of streams, events, captures and host memory
inline constexpr unsigned kStreamNonBlocking = 1;
inline constexpr unsigned kEventBlockingSync = 1;
inline constexpr unsigned kEventDisableTiming = 2;
inline constexpr int kCaptureRelaxed = 2;
inline constexpr unsigned kHostPortable = 1;

// Memory pools
inline constexpr int kAllocationPinned = 1;
inline constexpr int kLocationDevice = 1;
inline constexpr int kPoolReleaseThreshold = 4;
inline constexpr int kPoolReservedBytes = 5;

// CUlaunchAttributeID
inline constexpr int kClusterDimension = 4;
inline constexpr int kProgrammaticSerialization = 6;

}  // namespace deepgemm::cuda
