#pragma once

#include <memory>

#include "driver.h"

namespace deepgemm::cuda {

// One device's primary context, retained, with a memory pool and a stream for transfers. Whatever
// lives on the device shares it, so it is released last.
class Context {
 public:
  // Throws a Failure.
  static std::shared_ptr<Context> open(const Driver& driver, int ordinal);
  ~Context();
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;

  const Driver& driver() const { return driver_; }
  CUmemoryPool pool() const { return pool_; }

  // For copies that a thread waits for; not for work of users.
  CUstream transfers() const { return transfers_; }

  // Makes the context the calling thread's. Throws a Failure.
  void enter() const { driver_.context_set(context_); }

  // The same where a failure can do no more harm.
  void try_enter() const { driver_.context_set.attempt(context_); }

 private:
  explicit Context(const Driver& driver) : driver_(driver) {}
  void retain(int ordinal);
  void create_pool(int ordinal);

  const Driver& driver_;
  CUdevice device_ = 0;
  CUcontext context_ = nullptr;
  CUmemoryPool pool_ = nullptr;
  CUstream transfers_ = nullptr;
};

}  // namespace deepgemm::cuda
