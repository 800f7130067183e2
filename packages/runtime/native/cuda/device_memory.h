#pragma once

#include "resource.h"

namespace deepgemm::cuda {

// Memory of the device, allocated and freed in stream order. Queued work need not hold it: it is
// freed behind the work of the streams that used it.
class DeviceMemory : public Resource {
 public:
  enum class Contents { kZeros, kAny };

  // A copy of `source`, or what `contents` says where there is none; ready for work on `home` at
  // once and on other streams as soon as they use it. Throws a Failure.
  static std::shared_ptr<DeviceMemory> create(std::shared_ptr<StreamHandle> home, size_t bytes,
                                              const void* source, Contents contents);
  ~DeviceMemory() override;

  CUdeviceptr address() const { return address_; }
  size_t bytes() const { return bytes_; }

  // Its owner wants no more work to use it; a graph may keep it alive still.
  void release() { released_ = true; }
  bool released() const { return released_; }

  // Copies to and from host memory, in order behind `marks`; blocks until done. On the thread of a
  // job. Throws a Failure.
  using Marks = std::vector<std::shared_ptr<EventHandle>>;
  void read(size_t offset, void* target, size_t bytes, const Marks& marks) const;
  void write(size_t offset, const void* source, size_t bytes, const Marks& marks) const;

 private:
  DeviceMemory(std::shared_ptr<StreamHandle> home, size_t bytes)
      : Resource(home->context()), home_(std::move(home)), bytes_(bytes) {}
  void before_first_use(StreamHandle& stream) override;
  bool release_waits() const override { return users().size() > 1; }
  void wait_until_settled(const Marks& marks) const;

  std::shared_ptr<StreamHandle> home_;
  std::shared_ptr<EventHandle> ready_;
  CUdeviceptr address_ = 0;
  size_t bytes_;
  bool released_ = false;
};

}  // namespace deepgemm::cuda
