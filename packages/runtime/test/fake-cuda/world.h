#pragma once

#include <condition_variable>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <string>

#include "../../native/cuda/api.h"

// What the fake driver is and has: its faults, its objects, its one device's properties.
namespace fake {

inline constexpr CUresult kInvalidValue = 1;
inline constexpr CUresult kOutOfMemory = 2;
inline constexpr CUresult kInvalidContext = 201;
inline constexpr CUresult kInvalidHandle = 400;
inline constexpr CUresult kNotFound = 500;
inline constexpr CUresult kIllegalAddress = 700;
inline constexpr CUresult kCaptureUnsupported = 900;

struct Properties {
  int version = 13000;
  int devices = 1;
  int major = 9;
  int minor = 0;
  bool pools = true;
  uint64_t memory_bytes = uint64_t{64} << 20;
};

// The call number `nth` (from 1, counted from when this was set) answers `status`.
struct Fault {
  uint64_t at;
  CUresult status;
};

struct Launch {
  CUlaunchConfig config;
  int cluster_blocks;
  bool programmatic;
};

struct World {
  std::mutex mutex;
  std::condition_variable changed;
  Properties properties;
  std::map<std::string, uint64_t> calls;
  std::map<std::string, Fault> faults;
  std::map<std::string, int64_t> live;
  // Device memory by its address.
  std::map<CUdeviceptr, size_t> memory;
  uint64_t memory_used = 0;
  int delay_ms = 0;
  int work_delay_ms = 0;
  // The next kernel that runs fails with this.
  CUresult next_kernel_fails = 0;
  // An asynchronous error that all later calls report, as after a kernel's wild access.
  CUresult lost = 0;
  std::optional<Launch> last_launch;
  // Of the last kernel of the library that ran.
  std::string last_arguments;
};

// Never destroyed: stream threads may run while the process exits.
World& world();

// Counts a call and says how it goes: 0, or the status it must return. `needs_context` calls fail
// without a current context and after the device is lost.
CUresult begin(const char* call, bool needs_context = true);

// The same for calls that release something: they do it in any case, as the driver does, and may
// report an older error.
CUresult release(const char* call);

void count_live(const char* kind, int change);

// The calling thread has a context.
bool& has_context();

// True when all bytes lie in one live allocation; the caller holds the mutex.
bool is_live_memory(CUdeviceptr address, size_t bytes);

}  // namespace fake
