#pragma once

#include <napi.h>

#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "allocation.h"
#include "buffer.h"
#include "cpu_device.h"
#include "stream.h"

namespace deepgemm {

// The arguments of one operation, as TypeScript packs them: (device, stream, parameters, buffers).
//
// Parameters are float64 in a fixed order per operation, read front to back. Integers are exact
// below 2^53. A pointer is two parameters: the index of its buffer, or -1 for none, and a byte
// offset. TypeScript has validated everything; nothing is checked again here.
class OpCall {
 public:
  explicit OpCall(const Napi::CallbackInfo& info)
      : context_(CpuDevice::Unwrap(info[0].As<Napi::Object>())->context()),
        stream_(Stream::Unwrap(info[1].As<Napi::Object>())->core()),
        next_(info[2].As<Napi::Float64Array>().Data()) {
    Napi::Array buffers = info[3].As<Napi::Array>();
    held_.reserve(buffers.Length());
    for (uint32_t i = 0; i < buffers.Length(); i++) {
      held_.push_back(Buffer::Unwrap(Napi::Value(buffers[i]).As<Napi::Object>())->allocation());
    }
  }

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
    return reinterpret_cast<T*>(held_[static_cast<size_t>(buffer)]->data() + offset);
  }

  // Runs `work(pool, isa)` in stream order; the buffers live until it has finished. `work` returns
  // nothing, or a JobError. `effort` is its size in elements moved; products count a few
  // multiplications as one.
  template <typename Work>
  void enqueue(int64_t effort, Work work) {
    // A small job would wait for the threads that a large one keeps busy: then it does not run
    // here.
    const bool run_here = effort <= kSmallEffort && context_->unfinished == 0;
    StreamCore::Job job = [context = JobContext(std::move(context_)), held = std::move(held_),
                           work = std::move(work)]() -> std::optional<JobError> {
      if constexpr (std::is_void_v<decltype(work(context->pool, context->isa))>) {
        work(context->pool, context->isa);
        return std::nullopt;
      } else {
        return work(context->pool, context->isa);
      }
    };
    if (run_here) {
      stream_.run_small(std::move(job));
    } else {
      stream_.enqueue(std::move(job));
    }
  }

 private:
  // Some tens of microseconds with AVX2 or better.
  static constexpr int64_t kSmallEffort = int64_t{1} << 16;

  std::shared_ptr<CpuContext> context_;
  StreamCore& stream_;
  const double* next_;
  std::vector<std::shared_ptr<Allocation>> held_;
};

}  // namespace deepgemm
