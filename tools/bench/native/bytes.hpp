// Memory in huge pages where the system gives them, as the library's tensors are: neither a limit
// nor a peer may be slower for want of them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <new>
#include <utility>

#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace deepgemm::bench {

class Bytes {
 public:
  // Every byte is written, and so has a page of its own.
  void resize(size_t size) {
    if (size == size_) return;
    std::free(data_);
    size_ = size;
    const size_t whole = (size + kHugePage - 1) / kHugePage * kHugePage;
    data_ = static_cast<uint8_t*>(std::aligned_alloc(kHugePage, whole));
    if (data_ == nullptr) throw std::bad_alloc();
#if defined(__linux__)
    madvise(data_, whole, MADV_HUGEPAGE);
#endif
    std::memset(data_, 1, whole);
  }
  Bytes() = default;
  explicit Bytes(size_t size) { resize(size); }
  Bytes(Bytes&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}
  Bytes& operator=(Bytes&&) = delete;
  ~Bytes() { std::free(data_); }

  uint8_t* data() { return data_; }
  size_t size() const { return size_; }

 private:
  static constexpr size_t kHugePage = size_t{2} << 20;
  uint8_t* data_ = nullptr;
  size_t size_ = 0;
};

}  // namespace deepgemm::bench
