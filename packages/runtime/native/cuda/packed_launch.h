#pragma once

#include <memory>
#include <vector>

#include "arguments.h"
#include "module_handle.h"

namespace deepgemm::cuda {

// A launch with its arguments packed and its tensor maps encoded: enqueued any number of times. It
// keeps neither the memories nor the module alive.
class PackedLaunch {
 public:
  using Memories = std::vector<std::shared_ptr<DeviceMemory>>;

  // Numbers: grid 3, block 3, cluster 3, dynamic shared bytes, programmatic serialization, then
  // those of `Arguments`. Throws a Failure.
  PackedLaunch(const std::shared_ptr<ModuleHandle>& module, CUfunction function, Numbers numbers,
               const Memories& memories);
  PackedLaunch(const PackedLaunch&) = delete;
  PackedLaunch& operator=(const PackedLaunch&) = delete;

  // Points addresses elsewhere: for each memory, its place among the addresses that are not null
  // and the offset into it. The first time, all of them. Throws a Failure.
  void rebind(const Memories& memories, Numbers moves);
  size_t addresses() const { return arguments_->addresses(); }

  // Enqueues it. False, and nothing is enqueued, when the module or a memory was given up. Throws a
  // Failure.
  bool run(const std::shared_ptr<StreamHandle>& stream);

 private:
  void describe(Numbers& numbers);

  std::weak_ptr<ModuleHandle> module_;
  CUfunction function_;
  CUlaunchConfig config_{};
  CUlaunchAttribute attributes_[2]{};
  std::unique_ptr<Arguments> arguments_;
  std::vector<std::weak_ptr<DeviceMemory>> memories_;
};

}  // namespace deepgemm::cuda
