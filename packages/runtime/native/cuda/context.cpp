#include "context.h"

namespace deepgemm::cuda {

std::shared_ptr<Context> Context::open(const Driver& driver, int ordinal) {
  std::shared_ptr<Context> context(new Context(driver));
  context->retain(ordinal);
  context->enter();
  context->create_pool(ordinal);
  driver.stream_create(&context->transfers_, kStreamNonBlocking);
  return context;
}

void Context::retain(int ordinal) {
  driver_.init(0);
  driver_.device_get(&device_, ordinal);
  driver_.context_retain(&context_, device_);
}

// A pool of our own keeps what it has between uses without holding other libraries' memory.
void Context::create_pool(int ordinal) {
  CUmemPoolProps props{};
  props.alloc_type = kAllocationPinned;
  props.location_type = kLocationDevice;
  props.location_id = ordinal;
  driver_.pool_create(&pool_, &props);
  uint64_t keep = UINT64_MAX;
  driver_.pool_set(pool_, kPoolReleaseThreshold, &keep);
}

Context::~Context() {
  if (context_ == nullptr) return;
  try_enter();
  if (transfers_ != nullptr) driver_.stream_destroy.attempt(transfers_);
  if (pool_ != nullptr) driver_.pool_destroy.attempt(pool_);
  driver_.context_release.attempt(device_);
}

}  // namespace deepgemm::cuda
