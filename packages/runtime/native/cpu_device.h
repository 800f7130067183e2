#pragma once

#include <napi.h>

#include <memory>

#include "deepgemm/cpu/isa.hpp"
#include "deepgemm/cpu/pool.hpp"

namespace deepgemm {

// What a job needs to run kernels; jobs share it, so it outlives the device object if it must.
struct CpuContext {
  CpuContext(int threads, cpu::Isa isa) : pool(threads), isa(isa) {}
  cpu::Pool pool;
  cpu::Isa isa;
};

// One CPU device: a thread pool and an instruction set.
class CpuDevice : public Napi::ObjectWrap<CpuDevice> {
 public:
  static void define(Napi::Env env, Napi::Object exports);

  // new CpuDevice(threads, isa): the caller has checked both.
  explicit CpuDevice(const Napi::CallbackInfo& info);

  const std::shared_ptr<CpuContext>& context() const { return context_; }

 private:
  std::shared_ptr<CpuContext> context_;
};

}  // namespace deepgemm
