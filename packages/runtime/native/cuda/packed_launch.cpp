#include "packed_launch.h"

namespace deepgemm::cuda {

PackedLaunch::PackedLaunch(const std::shared_ptr<ModuleHandle>& module, CUfunction function,
                           Numbers numbers, const Memories& memories)
    : module_(module), function_(function), memories_(memories.begin(), memories.end()) {
  module->context()->enter();
  describe(numbers);
  arguments_ = std::make_unique<Arguments>(module->context()->driver(), numbers, memories);
}

// Grid, block and attributes.
void PackedLaunch::describe(Numbers& numbers) {
  for (uint32_t& extent : config_.grid) extent = numbers.u32();
  for (uint32_t& extent : config_.block) extent = numbers.u32();
  CUlaunchAttribute cluster{};
  cluster.id = kClusterDimension;
  for (uint32_t& extent : cluster.value.cluster) extent = numbers.u32();
  config_.shared_bytes = numbers.u32();
  config_.attributes = attributes_;
  const auto& blocks = cluster.value.cluster;
  if (blocks[0] * blocks[1] * blocks[2] > 1) attributes_[config_.attribute_count++] = cluster;
  if (!numbers.flag()) return;
  CUlaunchAttribute& overlap = attributes_[config_.attribute_count++];
  overlap.id = kProgrammaticSerialization;
  overlap.value.flag = 1;
}

void PackedLaunch::rebind(const Memories& memories, Numbers moves) {
  if (memories.empty()) return;
  const Driver& driver = memories.front()->context()->driver();
  memories_.resize(arguments_->addresses());
  for (const auto& memory : memories) {
    const uint32_t place = moves.u32();
    const auto offset = static_cast<CUdeviceptr>(moves.i64());
    arguments_->move(driver, place, memory->address() + offset);
    memories_[place] = memory;
  }
}

bool PackedLaunch::run(const std::shared_ptr<StreamHandle>& stream) {
  const auto module = module_.lock();
  if (!module) return false;
  stream->context()->enter();
  for (const auto& memory : memories_) {
    const auto held = memory.lock();
    if (!held || held->released()) return false;
    held->use(stream);
  }
  module->use(stream);
  config_.stream = stream->get();
  stream->driver().launch(&config_, function_, arguments_->pointers(), nullptr);
  return true;
}

}  // namespace deepgemm::cuda
