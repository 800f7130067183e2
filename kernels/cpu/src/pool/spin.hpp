// Polling with bounds: how idle workers wait for the next loop.
#pragma once

#include <chrono>

namespace deepgemm::cpu {

inline void pause_cpu() {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("yield");
#endif
}

// Times that the calling thread lost its processor against its will.
long thread_preemptions();

// Polls `ready` for at most `limit`; true when it became true.
template <class Ready>
bool spin_for(std::chrono::nanoseconds limit, Ready&& ready) {
  using Clock = std::chrono::steady_clock;
  const Clock::time_point end = Clock::now() + limit;
  do {
    for (int i = 0; i < 64; ++i) {
      if (ready()) return true;
      pause_cpu();
    }
  } while (Clock::now() < end);
  return false;
}

// One worker's patience. It follows how long the worker was idle lately, up to a limit, and drops
// to a floor when polling longer would not have paid off or when the scheduler took the processor
// away meanwhile: somebody else needed it.
class AdaptiveSpin {
 public:
  explicit AdaptiveSpin(std::chrono::microseconds limit) : limit_(limit), patience_(limit) {}

  // Polls until `ready` or out of patience; true when ready. On false the caller sleeps, and calls
  // woke() when work came after all.
  template <class Ready>
  bool until(Ready&& ready) {
    idle_since_ = Clock::now();
    preempted_ = false;
    if (patience_.count() == 0 || !try_start_spinning()) return ready();
    const long preemptions_before = thread_preemptions();
    const bool found = spin_for(patience_, ready);
    stop_spinning();
    preempted_ = thread_preemptions() != preemptions_before;
    if (found) woke();
    return found;
  }

  void woke();

 private:
  using Clock = std::chrono::steady_clock;

  // Across all pools of the process, at most (processors - 1) threads poll at once.
  static bool try_start_spinning();
  static void stop_spinning();

  const std::chrono::microseconds limit_;
  std::chrono::microseconds patience_;
  Clock::time_point idle_since_;
  bool preempted_ = false;
};

}  // namespace deepgemm::cpu
