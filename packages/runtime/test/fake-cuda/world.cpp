#include "world.h"

#include <chrono>
#include <cstdlib>
#include <thread>

namespace fake {
namespace {

// FAKE_CUDA_FAIL="cuMemHostAlloc:2:2" sets a fault where nobody can call the controls.
void read_environment(World& world) {
  const char* text = std::getenv("FAKE_CUDA_FAIL");
  if (text == nullptr) return;
  const std::string fault(text);
  const size_t first = fault.find(':');
  const size_t second = fault.find(':', first + 1);
  if (first == std::string::npos || second == std::string::npos) return;
  world.faults[fault.substr(0, first)] = {std::stoull(fault.substr(first + 1)),
                                          std::stoi(fault.substr(second + 1))};
}

CUresult next_answer(World& world, const std::string& call) {
  const uint64_t number = ++world.calls[call];
  const auto fault = world.faults.find(call);
  if (fault == world.faults.end() || fault->second.at != number) return 0;
  const CUresult status = fault->second.status;
  world.faults.erase(fault);
  return status;
}

}  // namespace

World& world() {
  static World* the = [] {
    auto* made = new World();
    read_environment(*made);
    return made;
  }();
  return *the;
}

CUresult begin(const char* call, bool needs_context) {
  World& w = world();
  std::unique_lock lock(w.mutex);
  const int delay = w.delay_ms;
  if (const CUresult status = next_answer(w, call)) return status;
  if (needs_context && !has_context()) return kInvalidContext;
  if (needs_context && w.lost != 0) return w.lost;
  lock.unlock();
  if (delay > 0) std::this_thread::sleep_for(std::chrono::milliseconds(delay));
  return 0;
}

CUresult release(const char* call) {
  World& w = world();
  std::lock_guard lock(w.mutex);
  const CUresult status = next_answer(w, call);
  return status != 0 ? status : w.lost;
}

void count_live(const char* kind, int change) {
  World& w = world();
  std::lock_guard lock(w.mutex);
  w.live[kind] += change;
}

bool& has_context() {
  thread_local bool has = false;
  return has;
}

bool is_live_memory(CUdeviceptr address, size_t bytes) {
  const auto& memory = world().memory;
  auto after = memory.upper_bound(address);
  if (after == memory.begin()) return false;
  const auto& [start, size] = *--after;
  return address - start <= size && bytes <= size - (address - start);
}

}  // namespace fake
