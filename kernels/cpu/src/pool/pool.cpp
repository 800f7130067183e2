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

// A loop this short is over about when workers have found it, and finding it slows the caller down.
constexpr std::chrono::microseconds kWorthSharing{30};

// A sleeping thread is back some 50 to 100 microseconds after the call that wakes it.
constexpr std::chrono::microseconds kWorthWaking{300};

// A worker that loses its processor in the middle of a loop is waited for, often for milliseconds.
// After that, loops shorter than such a wait run on their callers for a while: on a busy machine
// they are faster alone.
constexpr std::chrono::milliseconds kShortLoop{10};
constexpr std::chrono::milliseconds kWaryFor{50};

using Clock = std::chrono::steady_clock;

// One parallel_for call. Lives on its caller's stack: workers may touch it only between entering
// and leaving, both of which happen under the pool's mutex.
struct Loop {
  FunctionRef<void(int64_t)> body;
  int64_t count;
  std::chrono::nanoseconds expected;
  std::atomic<int64_t> next{0};
  std::atomic<int> workers_inside{0};
  std::atomic<bool> failed{false};
  std::exception_ptr failure{};  // written by the thread that sets `failed`

  bool has_work() const { return next.load(std::memory_order_relaxed) < count; }
  bool is_worth_waking() const { return expected > kWorthWaking; }
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

// The pool whose bodies this thread runs: a loop inside them has its thread's turn already.
thread_local const void* running_pool = nullptr;

}  // namespace

struct Pool::State {
  State(int threads, PoolOptions options)
      : limit(threads), max_spin(options.max_spin), nicer(options.nicer) {
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
  void run_as_worker(Loop& loop);
  void leave(Loop& loop);
  void run_as_caller(Loop& loop);
  void open(Loop& loop);
  void close(Loop& loop);
  void free_turn();
  bool is_shared(const Loop& loop) const;

  std::vector<std::thread> workers;
  const int limit;
  const std::chrono::microseconds max_spin;
  const int nicer;
  std::mutex mutex;
  std::condition_variable work_arrived;
  std::condition_variable worker_left;
  std::condition_variable turn_came;
  std::vector<Loop*> loops;  // open ones that workers may enter, oldest first
  // Polled by idle workers without the mutex; changes under it whenever there is work for them.
  std::atomic<uint64_t> arrivals{0};
  std::atomic<Clock::rep> wary_until{0};
  int running = 0;  // threads inside loops, callers that wait for stragglers included
  int sleepers = 0;
  int waiting_for_turn = 0;
  int waiting_for_workers = 0;
  bool stopping = false;
};

Loop* Pool::State::enter_any_loop() {
  const std::lock_guard lock(mutex);
  if (running >= limit || waiting_for_turn > 0) return nullptr;
  for (Loop* loop : loops) {
    if (!loop->has_work()) continue;
    loop->workers_inside.fetch_add(1, std::memory_order_relaxed);
    ++running;
    return loop;
  }
  return nullptr;
}

void Pool::State::run_as_worker(Loop& loop) {
  const long preemptions = thread_preemptions();
  loop.run();
  if (thread_preemptions() == preemptions) return;
  wary_until.store((Clock::now() + kWaryFor).time_since_epoch().count(), std::memory_order_relaxed);
}

void Pool::State::leave(Loop& loop) {
  bool wake = false;
  {
    const std::lock_guard lock(mutex);
    wake =
        loop.workers_inside.fetch_sub(1, std::memory_order_release) == 1 && waiting_for_workers > 0;
    // The caller may return from now on: `loop` is gone.
    free_turn();
  }
  if (wake) worker_left.notify_all();
}

// Under the mutex: hands this thread's turn to a caller that waits, or lets workers look for work.
void Pool::State::free_turn() {
  --running;
  if (waiting_for_turn > 0) return turn_came.notify_one();
  bool worth_waking = false, work = false;
  for (const Loop* loop : loops) {
    if (!loop->has_work()) continue;
    work = true;
    worth_waking |= loop->is_worth_waking();
  }
  if (!work) return;
  arrivals.fetch_add(1, std::memory_order_release);
  if (worth_waking && sleepers > 0) work_arrived.notify_one();
}

void Pool::State::work() {
  be_nicer(nicer);
  running_pool = this;
  AdaptiveSpin spin(max_spin);
  for (;;) {
    const uint64_t seen = arrivals.load(std::memory_order_acquire);
    if (Loop* loop = enter_any_loop()) {
      run_as_worker(*loop);
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

bool Pool::State::is_shared(const Loop& loop) const {
  if (loop.count <= 1 || workers.empty() || loop.expected < kWorthSharing) return false;
  if (loop.expected > kShortLoop) return true;
  return Clock::now().time_since_epoch().count() >= wary_until.load(std::memory_order_relaxed);
}

void Pool::State::open(Loop& loop) {
  const bool shared = is_shared(loop);
  const bool nested = running_pool == this;
  bool wake = false;
  {
    std::unique_lock lock(mutex);
    if (!nested) {
      ++waiting_for_turn;
      turn_came.wait(lock, [&] { return running < limit; });
      --waiting_for_turn;
      ++running;
    }
    if (shared) {
      loops.push_back(&loop);
      arrivals.fetch_add(1, std::memory_order_release);
      wake = loop.is_worth_waking() && sleepers > 0 && running < limit;
    }
  }
  if (wake) work_arrived.notify_all();
}

// Returns when no worker is inside `loop` any more.
void Pool::State::close(Loop& loop) {
  std::unique_lock lock(mutex);
  std::erase(loops, &loop);
  const auto finished = [&] { return loop.workers_inside.load(std::memory_order_acquire) == 0; };
  if (finished()) return;
  lock.unlock();
  // The stragglers are inside their last index: usually microseconds.
  if (spin_for(std::chrono::microseconds(50), finished)) return;
  lock.lock();
  ++waiting_for_workers;
  worker_left.wait(lock, finished);
  --waiting_for_workers;
}

void Pool::State::run_as_caller(Loop& loop) {
  open(loop);
  const void* const outer = std::exchange(running_pool, this);
  loop.run();
  running_pool = outer;
  close(loop);
  if (outer == this) return;
  const std::lock_guard lock(mutex);
  free_turn();
}

Pool::Pool(int threads, PoolOptions options)
    : state_(std::make_unique<State>(std::max(threads, 1), options)) {}

Pool::~Pool() = default;

int Pool::threads() const { return state_->limit; }

void Pool::parallel_for(int64_t count, FunctionRef<void(int64_t)> body,
                        std::chrono::nanoseconds expected) {
  if (count <= 0) return;
  Loop loop{.body = body, .count = count, .expected = expected};
  state_->run_as_caller(loop);
  if (loop.failure) std::rethrow_exception(loop.failure);
}

}  // namespace deepgemm::cpu
