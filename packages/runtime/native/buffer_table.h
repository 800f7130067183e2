#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "allocation.h"

namespace deepgemm {

// The memory of live buffers by number: operations name buffers in their parameters, which costs
// less than unwrapping a JavaScript object for each. For the JavaScript thread only.
class BufferTable {
 public:
  uint32_t add(std::shared_ptr<Allocation> allocation) {
    if (free_.empty()) {
      live_.push_back(std::move(allocation));
      return static_cast<uint32_t>(live_.size() - 1);
    }
    const uint32_t id = free_.back();
    free_.pop_back();
    live_[id] = std::move(allocation);
    return id;
  }

  void remove(uint32_t id) {
    live_[id].reset();
    free_.push_back(id);
  }

  const std::shared_ptr<Allocation>& at(size_t id) const { return live_[id]; }

 private:
  std::vector<std::shared_ptr<Allocation>> live_;
  std::vector<uint32_t> free_;
};

}  // namespace deepgemm
