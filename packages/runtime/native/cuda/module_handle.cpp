#include "module_handle.h"

namespace deepgemm::cuda {

std::shared_ptr<ModuleHandle> ModuleHandle::load(std::shared_ptr<Context> context,
                                                 const void* cubin) {
  std::shared_ptr<ModuleHandle> module(new ModuleHandle(std::move(context)));
  module->context()->enter();
  module->context()->driver().module_load(&module->module_, cubin);
  return module;
}

ModuleHandle::~ModuleHandle() {
  if (module_ == nullptr) return;
  context()->try_enter();
  wait_for_users(0);
  context()->driver().module_unload.attempt(module_);
}

}  // namespace deepgemm::cuda
