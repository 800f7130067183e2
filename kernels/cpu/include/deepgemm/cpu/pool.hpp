// Worker threads shared by all work of one CPU device.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>

#include "deepgemm/cpu/function_ref.hpp"

namespace deepgemm::cpu {

struct PoolOptions {
  // How long an idle worker polls for the next loop before it sleeps. Waking a sleeper costs tens
  // of microseconds, polling costs a core: the wait adapts between zero and this bound.
  std::chrono::microseconds max_spin{5000};
  // By how much the workers' niceness exceeds that of the thread that makes the pool.
  int nicer = 0;
};

class Pool {
 public:
  // `threads` counts the calling thread: Pool(1) starts no worker. Values below 1 mean 1. Throws
  // std::system_error when the system does not start so many threads.
  explicit Pool(int threads, PoolOptions options = {});
  ~Pool();
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  int threads() const;

  // Runs body(index) once for every index in [0, count), on the workers and the calling thread,
  // and returns when all have finished. Indices are handed out in ascending order. Several threads
  // may call this at once: their loops share the workers, and never do more than threads() threads
  // run bodies. A caller beyond that waits for its turn. A body may itself call parallel_for.
  // When a body throws, indices that have not begun are skipped and the first exception is thrown
  // again here, once no thread is inside the loop any more.
  //
  // `expected` is roughly how long the whole loop would take one thread. Workers that poll join any
  // loop; waking those that sleep takes so long that a short loop is over before they come.
  void parallel_for(int64_t count, FunctionRef<void(int64_t)> body,
                    std::chrono::nanoseconds expected = std::chrono::nanoseconds::max());

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// Raises the calling thread's niceness, so that threads at the ordinary one get a processor at once
// when they need it. Where threads have none of their own (not Linux), and for 0, does nothing.
void be_nicer(int by);

// Processors that this process may use: the smaller of its affinity mask and its cgroup's
// quota (rounded up), at least 1.
int default_threads();

}  // namespace deepgemm::cpu
