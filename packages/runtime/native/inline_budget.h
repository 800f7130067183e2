#pragma once

#include <chrono>

namespace deepgemm {

// How long jobs may run on the JavaScript thread between two turns of its event loop: handing a
// small job to another thread and back takes longer than the job, but a long row of them must not
// hold up timers and sockets.
class InlineBudget {
 public:
  using Clock = std::chrono::steady_clock;

  bool allows() const { return spent_ < kShare; }

  // True for the first job of a turn: somebody has to tell when the turn is over.
  bool spend(Clock::duration time) {
    const bool first = spent_ == Clock::duration::zero();
    spent_ += time;
    return first;
  }

  void turn() { spent_ = {}; }

 private:
  // The delay of an event is at most this and the last job's time.
  static constexpr Clock::duration kShare = std::chrono::microseconds(500);

  Clock::duration spent_{};
};

}  // namespace deepgemm
