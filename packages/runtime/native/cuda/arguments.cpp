#include "arguments.h"

#include <cstring>

namespace deepgemm::cuda {
namespace {

// Kinds of arguments, as in TypeScript's `argument-list.ts`.
enum Kind : int32_t { kPointer, kI32, kU32, kI64, kF32, kTensorMap, kNoTensorMap };

size_t round_up(size_t value, size_t multiple) {
  return (value + multiple - 1) / multiple * multiple;
}

}  // namespace

Arguments::Arguments(const Driver& driver, Numbers& numbers, Memories memories)
    : as_struct_(numbers.flag()) {
  const uint32_t count = numbers.u32();
  // The driver copies a struct with the padding at its end, which is as long as its alignment asks.
  const auto bytes = round_up(static_cast<size_t>(numbers.i64()), alignof(CUtensorMap));
  bytes_.reset(
      static_cast<std::byte*>(::operator new[](bytes, std::align_val_t(alignof(CUtensorMap)))));
  std::memset(bytes_.get(), 0, bytes);
  whole_ = bytes_.get();
  pointers_.reserve(count);
  for (uint32_t i = 0; i < count; i++) {
    switch (static_cast<Kind>(numbers.i32())) {
      case kPointer:
        append(read_address(numbers, memories, false));
        break;
      case kI32:
        append(numbers.i32());
        break;
      case kU32:
        append(numbers.u32());
        break;
      case kI64:
        append(numbers.i64());
        break;
      case kF32:
        append(numbers.f32());
        break;
      case kTensorMap:
        append_tensor_map(driver, numbers, memories);
        break;
      case kNoTensorMap:
        append(CUtensorMap{});
        break;
    }
  }
}

// (memory index or -1 for a null pointer, byte offset) of the argument that is placed next.
CUdeviceptr Arguments::read_address(Numbers& numbers, Memories memories, bool in_map) {
  const int64_t index = numbers.i64();
  const int64_t offset = numbers.i64();
  if (index < 0) return 0;
  addresses_.push_back(
      {round_up(used_, in_map ? alignof(CUtensorMap) : alignof(CUdeviceptr)), in_map});
  return memories[static_cast<size_t>(index)]->address() + static_cast<CUdeviceptr>(offset);
}

void Arguments::move(const Driver& driver, size_t place, CUdeviceptr address) {
  std::byte* at = bytes_.get() + addresses_[place].at;
  if (addresses_[place].in_map) {
    driver.tensor_map_move(reinterpret_cast<CUtensorMap*>(at), reinterpret_cast<void*>(address));
  } else {
    *reinterpret_cast<CUdeviceptr*>(at) = address;
  }
}

void* Arguments::place(size_t bytes, size_t alignment) {
  used_ = round_up(used_, alignment);
  void* at = bytes_.get() + used_;
  used_ += bytes;
  pointers_.push_back(at);
  return at;
}

// (address, data type, rank, rank extents, rank - 1 strides in bytes, rank box extents, swizzle,
// L2 promotion), innermost dimension first. Outside the tensor reads give zeros.
void Arguments::append_tensor_map(const Driver& driver, Numbers& numbers, Memories memories) {
  constexpr uint32_t kMaxRank = 5;
  const CUdeviceptr address = read_address(numbers, memories, true);
  const int data_type = numbers.i32();
  const uint32_t rank = numbers.u32();
  uint64_t extents[kMaxRank];
  uint64_t strides[kMaxRank];
  uint32_t box[kMaxRank];
  uint32_t steps[kMaxRank];
  for (uint32_t i = 0; i < rank; i++) extents[i] = static_cast<uint64_t>(numbers.i64());
  for (uint32_t i = 0; i + 1 < rank; i++) strides[i] = static_cast<uint64_t>(numbers.i64());
  for (uint32_t i = 0; i < rank; i++) {
    box[i] = numbers.u32();
    steps[i] = 1;
  }
  const int swizzle = numbers.i32();
  const int promotion = numbers.i32();
  auto* map = static_cast<CUtensorMap*>(place(sizeof(CUtensorMap), alignof(CUtensorMap)));
  driver.tensor_map_encode(map, data_type, rank, reinterpret_cast<void*>(address), extents, strides,
                           box, steps, 0, swizzle, promotion, 0);
}

}  // namespace deepgemm::cuda
