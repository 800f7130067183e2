#pragma once

#include "resource.h"

namespace deepgemm::cuda {

// Page-locked host memory, which the device copies from and to at full speed.
class HostMemory : public Resource {
 public:
  // Zeroed. Throws a Failure.
  static std::shared_ptr<HostMemory> create(std::shared_ptr<Context> context, size_t bytes);
  ~HostMemory() override;

  uint8_t* data() const { return static_cast<uint8_t*>(data_); }
  size_t bytes() const { return bytes_; }

 private:
  HostMemory(std::shared_ptr<Context> context, size_t bytes)
      : Resource(std::move(context)), bytes_(bytes) {}

  void* data_ = nullptr;
  size_t bytes_;
};

}  // namespace deepgemm::cuda
