#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>

namespace deepgemm {

// Host memory that jobs and JavaScript objects share; freed with its last holder, on any thread.
class Allocation {
 public:
  // Zeroed memory aligned to a cache line; nullptr when there is none.
  static std::shared_ptr<Allocation> create(size_t bytes);

  // Memory owned elsewhere; `release` runs when the last holder lets go, on any thread.
  static std::shared_ptr<Allocation> borrow(void* data, size_t bytes,
                                            std::function<void()> release);

  ~Allocation();
  Allocation(const Allocation&) = delete;
  Allocation& operator=(const Allocation&) = delete;

  uint8_t* data() const { return data_; }
  size_t bytes() const { return bytes_; }

 private:
  Allocation(uint8_t* data, size_t bytes, std::function<void()> release);

  uint8_t* data_;
  size_t bytes_;
  std::function<void()> release_;
};

}  // namespace deepgemm
