#include "device_memory.h"

#include <algorithm>

namespace deepgemm::cuda {

std::shared_ptr<DeviceMemory> DeviceMemory::create(std::shared_ptr<StreamHandle> home, size_t bytes,
                                                   const void* source, Contents contents) {
  std::shared_ptr<DeviceMemory> memory(new DeviceMemory(std::move(home), bytes));
  const Driver& driver = memory->context()->driver();
  const CUstream stream = memory->home_->get();
  memory->context()->enter();
  // Never empty, so that every allocation has an address.
  driver.memory_allocate(&memory->address_, std::max<size_t>(bytes, 1), memory->context()->pool(),
                         stream);
  const bool zeros = source == nullptr && contents == Contents::kZeros;
  if (bytes > 0 && zeros) driver.fill(memory->address_, 0, bytes, stream);
  // The driver takes pageable memory into its own buffers before it returns.
  if (bytes > 0 && source != nullptr) driver.upload(memory->address_, source, bytes, stream);
  memory->ready_ = EventHandle::record(*memory->home_, false);
  return memory;
}

DeviceMemory::~DeviceMemory() {
  if (address_ == 0) return;
  context()->try_enter();
  // Blocks only where several streams used the memory, and those wait for `retire` before.
  wait_for_users(1);
  const StreamHandle& last = users().empty() ? *home_ : *users().front();
  const Driver& driver = context()->driver();
  if (last.unless_capturing([&] { driver.memory_free.attempt(address_, last.get()); })) return;
  last.wait();
  driver.memory_free.attempt(address_, context()->transfers());
}

void DeviceMemory::before_first_use(StreamHandle& stream) {
  if (&stream != home_.get()) stream.driver().stream_wait(stream.get(), ready_->get(), 0);
}

void DeviceMemory::read(size_t offset, void* target, size_t bytes, const Marks& marks) const {
  wait_until_settled(marks);
  const Driver& driver = context()->driver();
  driver.download(target, address_ + offset, bytes, context()->transfers());
  driver.stream_synchronize(context()->transfers());
}

void DeviceMemory::write(size_t offset, const void* source, size_t bytes,
                         const Marks& marks) const {
  wait_until_settled(marks);
  const Driver& driver = context()->driver();
  driver.upload(address_ + offset, source, bytes, context()->transfers());
  driver.stream_synchronize(context()->transfers());
}

void DeviceMemory::wait_until_settled(const Marks& marks) const {
  context()->enter();
  const Driver& driver = context()->driver();
  driver.event_synchronize(ready_->get());
  for (const auto& mark : marks) driver.event_synchronize(mark->get());
}

}  // namespace deepgemm::cuda
