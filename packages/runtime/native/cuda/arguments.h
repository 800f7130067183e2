#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <span>
#include <vector>

#include "device_memory.h"

namespace deepgemm::cuda {

// A launch's numbers, as TypeScript packs them, read front to back; integers are exact below 2^53.
class Numbers {
 public:
  explicit Numbers(const double* next) : next_(next) {}
  int64_t i64() { return static_cast<int64_t>(*next_++); }
  int32_t i32() { return static_cast<int32_t>(*next_++); }
  uint32_t u32() { return static_cast<uint32_t>(*next_++); }
  float f32() { return static_cast<float>(*next_++); }
  bool flag() { return *next_++ != 0; }

 private:
  const double* next_;
};

// The arguments of a kernel, laid out as the members of a C++ struct in their order.
class Arguments {
 public:
  using Memories = std::span<const std::shared_ptr<DeviceMemory>>;

  // Reads whether they are one struct, their count and bytes, and the arguments, each a kind and
  // its numbers; see arguments.cpp. Throws a Failure where the driver refuses a tensor map.
  Arguments(const Driver& driver, Numbers& numbers, Memories memories);
  Arguments(const Arguments&) = delete;
  Arguments& operator=(const Arguments&) = delete;

  // What cuLaunchKernelEx takes: one pointer for each argument, or one for all when the kernel
  // takes a struct.
  void** pointers() { return as_struct_ ? &whole_ : pointers_.data(); }

  // Gives an address, by its place among those that are not null, another value. The extents of a
  // tensor map stay. Throws a Failure.
  void move(const Driver& driver, size_t place, CUdeviceptr address);

  // How many addresses there are.
  size_t addresses() const { return addresses_.size(); }

 private:
  void* place(size_t bytes, size_t alignment);
  void append_tensor_map(const Driver& driver, Numbers& numbers, Memories memories);
  CUdeviceptr read_address(Numbers& numbers, Memories memories, bool in_map);

  // Where an address lies: in a tensor map, or by itself.
  struct Address {
    size_t at;
    bool in_map;
  };

  template <typename T>
  void append(const T& value) {
    *static_cast<T*>(place(sizeof(T), alignof(T))) = value;
  }

  struct Free {
    void operator()(std::byte* bytes) const {
      ::operator delete[](bytes, std::align_val_t(alignof(CUtensorMap)));
    }
  };

  bool as_struct_;
  std::unique_ptr<std::byte[], Free> bytes_;
  size_t used_ = 0;
  std::vector<void*> pointers_;
  std::vector<Address> addresses_;
  void* whole_;
};

}  // namespace deepgemm::cuda
