#pragma once

#include "resource.h"

namespace deepgemm::cuda {

// A loaded cubin.
class ModuleHandle : public Resource {
 public:
  // Throws a Failure.
  static std::shared_ptr<ModuleHandle> load(std::shared_ptr<Context> context, const void* cubin);
  ~ModuleHandle() override;

  CUmodule get() const { return module_; }

 private:
  using Resource::Resource;

  CUmodule module_ = nullptr;
};

}  // namespace deepgemm::cuda
