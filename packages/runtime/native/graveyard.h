#pragma once

#include <napi.h>

#include <functional>
#include <mutex>
#include <vector>

namespace deepgemm {

// References to JavaScript values that jobs let go of on their own threads; they may only be
// deleted where JavaScript runs.
class Graveyard {
 public:
  explicit Graveyard(std::function<void()> wake) : wake_(std::move(wake)) {}

  // Callable from any thread.
  void bury(Napi::Reference<Napi::ArrayBuffer> reference) {
    std::lock_guard lock(mutex_);
    if (closed_) {
      // The environment is gone and took its references along.
      reference.SuppressDestruct();
      return;
    }
    graves_.push_back(std::move(reference));
    wake_();
  }

  // On the JavaScript thread.
  void empty() {
    std::lock_guard lock(mutex_);
    graves_.clear();
  }

  // On the JavaScript thread, before its environment ends.
  void close() {
    std::lock_guard lock(mutex_);
    graves_.clear();
    closed_ = true;
  }

 private:
  std::mutex mutex_;
  std::vector<Napi::Reference<Napi::ArrayBuffer>> graves_;
  std::function<void()> wake_;
  bool closed_ = false;
};

}  // namespace deepgemm
