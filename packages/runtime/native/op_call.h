#pragma once

#include <napi.h>

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>
#include <vector>

#include "addon_data.h"
#include "allocation.h"
#include "cpu_device.h"
#include "stream.h"

namespace deepgemm {

// The arguments of one operation: (device, stream), and what TypeScript wrote into the parameters
// of the addon.
//
// Parameters are float64 in a fixed order per operation, read front to back. Integers are exact
// below 2^53. A pointer is two parameters: the number of its buffer, or -1 for none, and a byte
// offset. TypeScript has validated everything; nothing is checked again here.
class OpCall {
 public:
  explicit OpCall(const Napi::CallbackInfo& info)
      : env_(info.Env()),
        data_(AddonData::of(info.Env())),
        context_(CpuDevice::Unwrap(info[0].As<Napi::Object>())->context()),
        stream_(Stream::Unwrap(info[1].As<Napi::Object>())->core()),
        next_(data_.params()) {}

  int64_t i64() { return static_cast<int64_t>(*next_++); }
  int32_t i32() { return static_cast<int32_t>(*next_++); }
  float f32() { return static_cast<float>(*next_++); }
  bool flag() { return *next_++ != 0; }

  template <typename E>
  E choice() {
    return static_cast<E>(i32());
  }

  template <typename T>
  T* pointer() {
    const int64_t buffer = i64();
    const int64_t offset = i64();
    if (buffer < 0) return nullptr;
    const auto& allocation = data_.buffers()->at(static_cast<size_t>(buffer));
    pointed_[pointed_count_++] = &allocation;
    return reinterpret_cast<T*>(allocation->data() + offset);
  }

  // Runs `work(pool, isa)` in stream order; the buffers live until it has finished. `work` returns
  // nothing, or a JobError. `effort` is its size in elements moved; products count a few
  // multiplications as one. Returns the job's ticket.
  template <typename Work>
  Napi::Value enqueue(int64_t effort, Work work) {
    // A small job would wait for the threads that a large one keeps busy: then it does not run
    // here.
    const bool is_small = effort <= kSmallEffort && context_->unfinished == 0;
    if (is_small && data_.allows_inline() && stream_.begin_inline()) return run_here(work);
    std::vector<std::shared_ptr<Allocation>> held;
    held.reserve(pointed_count_);
    for (size_t i = 0; i < pointed_count_; ++i) held.push_back(*pointed_[i]);
    const uint64_t ticket =
        stream_.enqueue([context = JobContext(context_), held = std::move(held), work] {
          return outcome(work, context->pool, context->isa);
        });
    return Napi::Number::New(env_, static_cast<double>(ticket));
  }

 private:
  // Some tens of microseconds with AVX2 or better.
  static constexpr int64_t kSmallEffort = int64_t{1} << 16;

  template <typename Work>
  static std::optional<JobError> outcome(const Work& work, cpu::Pool& pool, cpu::Isa isa) {
    if constexpr (std::is_void_v<decltype(work(pool, isa))>) {
      work(pool, isa);
      return std::nullopt;
    } else {
      return work(pool, isa);
    }
  }

  // JavaScript cannot let go of a buffer meanwhile.
  template <typename Work>
  Napi::Value run_here(const Work& work) {
    const auto start = InlineBudget::Clock::now();
    auto error = StreamCore::run_job([&] { return outcome(work, context_->alone, context_->isa); });
    const uint64_t ticket = stream_.end_inline(std::move(error));
    data_.spend_inline(InlineBudget::Clock::now() - start);
    return Napi::Number::New(env_, static_cast<double>(ticket));
  }

  Napi::Env env_;
  AddonData& data_;
  const std::shared_ptr<CpuContext>& context_;
  StreamCore& stream_;
  const double* next_;
  // The table does not grow while an operation reads its parameters.
  std::array<const std::shared_ptr<Allocation>*, AddonData::kMaxParams / 2> pointed_;
  size_t pointed_count_ = 0;
};

}  // namespace deepgemm
