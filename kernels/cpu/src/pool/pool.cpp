#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "deepgemm/cpu/pool.hpp"
#include "pool/spin.hpp"

namespace deepgemm::cpu {
namespace {

// A sleeping thread is back some 50 to 100 microseconds after the call that wakes it.
constexpr std::chrono::microseconds kWorthWaking{300};

// One parallel_for call. Lives on its caller's stack: workers may touch it only between entering
// and leaving, both of which happen under the pool's mutex.
struct Loop {
  FunctionRef<void(int64_t)> body;
  int64_t count;
  std::atomic<int64_t> next{0};
  std::atomic<int> workers_inside{0};
  std::atomic<bool> failed{false};
  std::exception_ptr failure;  // written by the thread that sets `failed`

  bool has_work() const { return next.load(std::memory_order_relaxed) < count; }
  void run() {
    for (;;) {
      const int64_t index = next.fetch_add(1, std::memory_order_relaxed);
      if (index >= count) return;
      try {
        body(index);
      } catch (...) {
        fail(std::current_exception());
      }
    }
  }
  // Keeps the first failure and skips the indices that are left.
  void fail(std::exception_ptr error) {
    next.store(count, std::memory_order_relaxed);
    if (!failed.exchange(true, std::memory_order_relaxed)) failure = std::move(error);
  }
};

}  // namespace

struct Pool::State {
  explicit State(int threads, PoolOptions options) : max_spin(options.max_spin) {
    workers.reserve(static_cast<size_t>(threads - 1));
    try {
      for (int i = 1; i < threads; ++i) workers.emplace_back([this] { work(); });
    } catch (...) {
      stop();  // The system starts no more threads; those that did start must end.
      throw;
    }
  }

  ~State() { stop(); }

  void stop() {
    {
      const std::lock_guard lock(mutex);
      stopping = true;
      arrivals.fetch_add(1, std::memory_order_release);
    }
    work_arrived.notify_all();
    for (std::thread& worker : workers) worker.join();
  }

  void work();
  Loop* enter_any_loop();
  void leave(Loop& loop);
  void open(Loop& loop, bool may_wake);
  void close(Loop& loop);

  std::vector<std::thread> workers;
  const std::chrono::microseconds max_spin;
  std::mutex mutex;
  std::condition_variable work_arrived;
  std::condition_variable worker_left;
  std::vector<Loop*> loops;  // open ones, oldest first
  // Polled by idle workers without the mutex; changes under it whenever a loop opens.
  std::atomic<uint64_t> arrivals{0};
  int sleepers = 0;
  int waiting_callers = 0;
  bool stopping = false;
};

Loop* Pool::State::enter_any_loop() {
  const std::lock_guard lock(mutex);
  for (Loop* loop : loops) {
    if (!loop->has_work()) continue;
    loop->workers_inside.fetch_add(1, std::memory_order_relaxed);
    return loop;
  }
  return nullptr;
}

void Pool::State::leave(Loop& loop) {
  bool wake = false;
  {
    const std::lock_guard lock(mutex);
    wake = loop.workers_inside.fetch_sub(1, std::memory_order_release) == 1 && waiting_callers > 0;
    // The caller may return from now on: `loop` is gone.
  }
  if (wake) worker_left.notify_all();
}

void Pool::State::work() {
  AdaptiveSpin spin(max_spin);
  for (;;) {
    const uint64_t seen = arrivals.load(std::memory_order_acquire);
    if (Loop* loop = enter_any_loop()) {
      loop->run();
      leave(*loop);
      continue;
    }
    const bool arrived =
        spin.until([&] { return arrivals.load(std::memory_order_acquire) != seen; });
    std::unique_lock lock(mutex);
    if (!arrived) {
      ++sleepers;
      work_arrived.wait(
          lock, [&] { return stopping || arrivals.load(std::memory_order_relaxed) != seen; });
      --sleepers;
      spin.woke();
    }
    if (stopping) return;
  }
}

void Pool::State::open(Loop& loop, bool may_wake) {
  bool wake = false;
  {
    const std::lock_guard lock(mutex);
    loops.push_back(&loop);
    arrivals.fetch_add(1, std::memory_order_release);
    wake = may_wake && sleepers > 0;
  }
  if (wake) work_arrived.notify_all();
}

void Pool::State::close(Loop& loop) {
  std::unique_lock lock(mutex);
  loops.erase(std::find(loops.begin(), loops.end(), &loop));
  const auto finished = [&] { return loop.workers_inside.load(std::memory_order_acquire) == 0; };
  if (finished()) return;
  lock.unlock();
  // The stragglers are inside their last index: usually microseconds.
  if (spin_for(std::chrono::microseconds(50), finished)) return;
  lock.lock();
  ++waiting_callers;
  worker_left.wait(lock, finished);
  --waiting_callers;
}

Pool::Pool(int threads, PoolOptions options)
    : state_(std::make_unique<State>(std::max(threads, 1), options)) {}

Pool::~Pool() = default;

int Pool::threads() const { return static_cast<int>(state_->workers.size()) + 1; }

void Pool::parallel_for(int64_t count, FunctionRef<void(int64_t)> body,
                        std::chrono::nanoseconds expected) {
  if (count <= 1 || state_->workers.empty()) {
    for (int64_t index = 0; index < count; ++index) body(index);
    return;
  }
  Loop loop{body, count};
  state_->open(loop, expected > kWorthWaking);
  loop.run();
  state_->close(loop);
  if (loop.failure) std::rethrow_exception(loop.failure);
}

}  // namespace deepgemm::cpu
