#pragma once

#include <chrono>

namespace deepgemm {

// How long jobs may run on the JavaScript thread: handing a small job to another thread and back
// takes longer than the job, but a long row of them must not hold up the event loop.
class InlineBudget {
 public:
  using Clock = std::chrono::steady_clock;

  bool allows(Clock::time_point now) {
    if (now - window_start_ >= kWindow) {
      window_start_ = now;
      spent_ = {};
    }
    return spent_ < kShare;
  }

  void spend(Clock::duration time) { spent_ += time; }

 private:
  // Of any 2 ms, jobs take at most about half a millisecond and the last job's time.
  static constexpr Clock::duration kWindow = std::chrono::microseconds(2000);
  static constexpr Clock::duration kShare = std::chrono::microseconds(500);

  Clock::time_point window_start_;
  Clock::duration spent_{};
};

}  // namespace deepgemm
