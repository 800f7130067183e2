#include "pool/spin.hpp"

#include <algorithm>
#include <atomic>

#include "deepgemm/cpu/pool.hpp"

#if defined(__linux__)
#include <sys/resource.h>
#endif

namespace deepgemm::cpu {
namespace {

std::atomic<int> spinning_threads{0};

int spinning_limit() {
  static const int limit = default_threads() - 1;
  return limit;
}

}  // namespace

bool AdaptiveSpin::try_start_spinning() {
  if (spinning_threads.fetch_add(1, std::memory_order_relaxed) < spinning_limit()) return true;
  stop_spinning();
  return false;
}

void AdaptiveSpin::stop_spinning() { spinning_threads.fetch_sub(1, std::memory_order_relaxed); }

long thread_preemptions() {
#if defined(__linux__)
  rusage usage{};
  if (getrusage(RUSAGE_THREAD, &usage) == 0) return usage.ru_nivcsw;
#endif
  return 0;
}

void be_nicer(int by) {
#if defined(__linux__)
  // There a thread has a niceness of its own, 0 stands for the caller, and raising is always
  // allowed. Should it fail all the same, the thread works at the priority that it has.
  if (by > 0) setpriority(PRIO_PROCESS, 0, std::min(getpriority(PRIO_PROCESS, 0) + by, 19));
#else
  static_cast<void>(by);
#endif
}

void AdaptiveSpin::woke() {
  using std::chrono::microseconds;
  const auto idle = std::chrono::duration_cast<microseconds>(Clock::now() - idle_since_);
  const microseconds floor = std::min(limit_, microseconds(100));
  const bool worth_polling = !preempted_ && idle <= limit_;
  patience_ = worth_polling ? std::min(limit_, std::max(patience_, idle * 2)) : floor;
}

}  // namespace deepgemm::cpu
