#include "host_memory.h"

#include <algorithm>
#include <cstring>

namespace deepgemm::cuda {

std::shared_ptr<HostMemory> HostMemory::create(std::shared_ptr<Context> context, size_t bytes) {
  std::shared_ptr<HostMemory> memory(new HostMemory(std::move(context), bytes));
  memory->context()->enter();
  const size_t size = std::max<size_t>(bytes, 1);
  memory->context()->driver().host_allocate(&memory->data_, size, kHostPortable);
  std::memset(memory->data_, 0, size);
  return memory;
}

HostMemory::~HostMemory() {
  if (data_ == nullptr) return;
  context()->try_enter();
  wait_for_users(0);
  context()->driver().host_free.attempt(data_);
}

}  // namespace deepgemm::cuda
