#include "allocation.h"

#include <cstdlib>
#include <cstring>
#include <new>

#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace deepgemm {
namespace {

constexpr size_t kCacheLine = 64;

#if defined(__linux__)
constexpr size_t kHugePage = size_t{2} << 20;

// Large blocks come straight from the kernel: already zeroed, returned at once when freed, and
// eligible for huge pages, which a GEMM that strides over weights needs.
uint8_t* map_pages(size_t bytes) {
  void* data = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (data == MAP_FAILED) return nullptr;
  madvise(data, bytes, MADV_HUGEPAGE);
  return static_cast<uint8_t*>(data);
}
#endif

uint8_t* allocate_small(size_t bytes) {
  void* data = ::operator new(bytes, std::align_val_t{kCacheLine}, std::nothrow);
  if (data != nullptr) std::memset(data, 0, bytes);
  return static_cast<uint8_t*>(data);
}

void free_small(uint8_t* data) { ::operator delete(data, std::align_val_t{kCacheLine}); }

}  // namespace

Allocation::Allocation(uint8_t* data, size_t bytes, std::function<void()> release)
    : data_(data), bytes_(bytes), release_(std::move(release)) {}

Allocation::~Allocation() { release_(); }

std::shared_ptr<Allocation> Allocation::create(size_t bytes) {
#if defined(__linux__)
  if (bytes >= kHugePage) {
    uint8_t* data = map_pages(bytes);
    if (data == nullptr) return nullptr;
    return borrow(data, bytes, [data, bytes] { munmap(data, bytes); });
  }
#endif
  // Never empty, so that every allocation has an address.
  uint8_t* data = allocate_small(bytes == 0 ? 1 : bytes);
  if (data == nullptr) return nullptr;
  return borrow(data, bytes, [data] { free_small(data); });
}

std::shared_ptr<Allocation> Allocation::borrow(void* data, size_t bytes,
                                               std::function<void()> release) {
  return std::shared_ptr<Allocation>(
      new Allocation(static_cast<uint8_t*>(data), bytes, std::move(release)));
}

}  // namespace deepgemm
