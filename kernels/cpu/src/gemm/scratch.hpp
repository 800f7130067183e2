// Buffers that a thread keeps between calls: page faults cost more than packing does.
#pragma once

#include <cstddef>
#include <cstdlib>
#include <memory>
#include <new>

namespace deepgemm::cpu {

class Scratch {
 public:
  // At least `bytes` bytes, 64-byte aligned, contents unspecified; valid until the next call.
  template <class T>
  T* get(size_t bytes) {
    if (bytes > capacity_) grow(bytes);
    return static_cast<T*>(static_cast<void*>(memory_.get()));
  }

  // Gives memory back when one large call has left more than `bytes` behind.
  void trim(size_t bytes) {
    if (capacity_ <= bytes) return;
    memory_.reset();
    capacity_ = 0;
  }

 private:
  static constexpr size_t kAlignment = 64;
  struct Free {
    void operator()(std::byte* memory) const {
      ::operator delete(memory, std::align_val_t{kAlignment});
    }
  };

  void grow(size_t bytes) {
    memory_.reset();
    capacity_ = 0;
    memory_.reset(static_cast<std::byte*>(::operator new(bytes, std::align_val_t{kAlignment})));
    capacity_ = bytes;
  }

  std::unique_ptr<std::byte, Free> memory_;
  size_t capacity_ = 0;
};

}  // namespace deepgemm::cpu
