#pragma once

#include <napi.h>

#include <atomic>
#include <memory>
#include <utility>

#include "deepgemm/cpu/isa.hpp"
#include "deepgemm/cpu/pool.hpp"

namespace deepgemm {

// What a job needs to run kernels; jobs share it, so it outlives the device object if it must.
struct CpuContext {
  CpuContext(int threads, int nicer, cpu::Isa isa) : pool(threads, {.nicer = nicer}), isa(isa) {}
  cpu::Pool pool;
  // For jobs on the JavaScript thread, which must not wait for a worker that lost its processor.
  cpu::Pool alone{1};
  cpu::Isa isa;
  // Jobs of all streams that have not finished.
  std::atomic<int> unfinished{0};
};

// Keeps a context alive for one job and counts it as unfinished.
class JobContext {
 public:
  explicit JobContext(std::shared_ptr<CpuContext> context) : context_(std::move(context)) {
    ++context_->unfinished;
  }
  JobContext(const JobContext& other) : JobContext(other.context_) {}
  JobContext& operator=(const JobContext&) = delete;
  ~JobContext() { --context_->unfinished; }

  CpuContext* operator->() const { return context_.get(); }

 private:
  std::shared_ptr<CpuContext> context_;
};

// One CPU device: a thread pool and an instruction set.
class CpuDevice : public Napi::ObjectWrap<CpuDevice> {
 public:
  static void define(Napi::Env env, Napi::Object exports);

  // new CpuDevice(threads, isa, nicer): the caller has checked them.
  explicit CpuDevice(const Napi::CallbackInfo& info);

  // Null after dispose.
  const std::shared_ptr<CpuContext>& context() const { return context_; }

 private:
  // Lets go of the threads: now, or when the last job ends.
  void dispose(const Napi::CallbackInfo& info);

  std::shared_ptr<CpuContext> context_;
};

}  // namespace deepgemm
