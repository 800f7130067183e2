#include <algorithm>
#include <atomic>
#include <mutex>
#include <set>
#include <stdexcept>
#include <thread>
#include <vector>

#if defined(__linux__)
#include <sys/resource.h>
#endif

#include "check.hpp"
#include "deepgemm/cpu/pool.hpp"

namespace deepgemm::cpu::test {
namespace {

void every_index_runs_once() {
  for (const int threads : {1, 2, 5}) {
    Pool pool(threads);
    check(pool.threads() == threads, "thread count");
    for (int round = 0; round < 200; ++round) {
      const int64_t count = round % 7 * 31;
      std::vector<std::atomic<int>> runs(static_cast<size_t>(count));
      pool.parallel_for(count, [&](int64_t i) { runs[static_cast<size_t>(i)].fetch_add(1); });
      for (const auto& run : runs) check(run.load() == 1, "an index ran other than once");
    }
  }
}

void loops_from_several_threads_share_the_workers() {
  Pool pool(3);
  std::atomic<int64_t> total{0};
  std::vector<std::thread> callers;
  for (int caller = 0; caller < 4; ++caller) {
    callers.emplace_back([&] {
      for (int round = 0; round < 300; ++round) {
        std::atomic<int64_t> mine{0};
        pool.parallel_for(20, [&](int64_t) { mine.fetch_add(1); });
        check(mine.load() == 20, "a loop returned before it was finished");
        total.fetch_add(mine.load());
      }
    });
  }
  for (std::thread& caller : callers) caller.join();
  check(total.load() == 4 * 300 * 20, "every loop ran whole");
}

void loops_nest() {
  Pool pool(2);
  std::atomic<int> total{0};
  pool.parallel_for(8,
                    [&](int64_t) { pool.parallel_for(8, [&](int64_t) { total.fetch_add(1); }); });
  check(total.load() == 64, "nested loops ran whole");
}

void an_exception_reaches_the_caller_and_leaves_the_pool_whole() {
  for (const int threads : {1, 3}) {
    Pool pool(threads);
    for (int round = 0; round < 100; ++round) {
      std::atomic<int> ran{0};
      bool caught = false;
      try {
        pool.parallel_for(1000, [&](int64_t i) {
          ran.fetch_add(1);
          if (i == round) throw std::runtime_error("from a body");
        });
      } catch (const std::runtime_error&) {
        caught = true;
      }
      check(caught, "the exception of a body reached the caller");
      check(ran.load() >= round + 1, "indices before the failing one ran");
      std::atomic<int> after{0};
      pool.parallel_for(50, [&](int64_t) { after.fetch_add(1); });
      check(after.load() == 50, "a loop after a failed one ran whole");
    }
  }
}

void sleeping_workers_wake() {
  Pool pool(2, {.max_spin = std::chrono::microseconds(0)});
  for (int round = 0; round < 20; ++round) {
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
    std::atomic<int> total{0};
    pool.parallel_for(16, [&](int64_t) { total.fetch_add(1); });
    check(total.load() == 16, "a loop after a pause ran whole");
  }
}

// Raises `most` to what `now` reaches.
void note(std::atomic<int>& most, int now) {
  int seen = most.load();
  while (seen < now && !most.compare_exchange_weak(seen, now)) {
  }
}

void loops_of_many_callers_run_on_no_more_threads_than_the_pool_has() {
  for (const int threads : {1, 2, 3}) {
    Pool pool(threads);
    std::atomic<int> inside{0}, most{0};
    std::atomic<int64_t> ran{0};
    std::vector<std::thread> callers;
    for (int caller = 0; caller < 6; ++caller) {
      callers.emplace_back([&] {
        for (int round = 0; round < 10; ++round) {
          pool.parallel_for(12, [&](int64_t) {
            note(most, inside.fetch_add(1) + 1);
            std::this_thread::sleep_for(std::chrono::microseconds(50));
            ran.fetch_add(1);
            inside.fetch_sub(1);
          });
        }
      });
    }
    for (std::thread& caller : callers) caller.join();
    check(ran.load() == 6 * 10 * 12, "every loop of every caller ran whole");
    check(most.load() <= threads, "more threads were inside bodies than the pool has");
  }
}

// What the threads of a loop say of themselves, from a loop that lasts until two have said
// something else or so many indices have passed that a busy machine is no excuse.
template <class Value>
std::set<Value> told_by_threads(Pool& pool, Value (*tell)()) {
  std::mutex mutex;
  std::set<Value> told;
  std::atomic<bool> enough{false};
  pool.parallel_for(20'000, [&](int64_t) {
    if (!enough.load()) std::this_thread::sleep_for(std::chrono::microseconds(200));
    const std::lock_guard lock(mutex);
    told.insert(tell());
    enough.store(told.size() >= 2);
  });
  return told;
}

void a_worker_helps_the_loop_that_outlasts_another() {
  Pool pool(2, {.max_spin = std::chrono::microseconds(0)});
  std::thread brief([&] { pool.parallel_for(1, [](int64_t) {}); });
  const auto threads = told_by_threads<std::thread::id>(pool, std::this_thread::get_id);
  brief.join();
  check(threads.size() == 2, "the pool's worker took part in the loop that lasted");
}

#if defined(__linux__)
void workers_are_nicer_by_what_is_asked() {
  Pool pool(2, {.nicer = 3});
  const auto seen = told_by_threads<int>(pool, [] { return getpriority(PRIO_PROCESS, 0); });
  const int own = getpriority(PRIO_PROCESS, 0);
  check(seen == std::set<int>{own, std::min(own + 3, 19)}, "only the worker is nicer");
}
#endif

void values_below_one_mean_one() {
  Pool pool(0);
  check(pool.threads() == 1, "Pool(0) runs on the caller");
  check(default_threads() >= 1, "there is always a thread");
}

const Case kCases[] = {
    {"every index runs exactly once", every_index_runs_once},
    {"loops from several threads share the workers", loops_from_several_threads_share_the_workers},
    {"loops nest", loops_nest},
    {"an exception reaches the caller and leaves the pool whole",
     an_exception_reaches_the_caller_and_leaves_the_pool_whole},
    {"sleeping workers wake", sleeping_workers_wake},
    {"loops of many callers run on no more threads than the pool has",
     loops_of_many_callers_run_on_no_more_threads_than_the_pool_has},
    {"a worker helps the loop that outlasts another",
     a_worker_helps_the_loop_that_outlasts_another},
#if defined(__linux__)
    {"workers are nicer by what is asked", workers_are_nicer_by_what_is_asked},
#endif
    {"thread counts below one mean one", values_below_one_mean_one},
};

}  // namespace
}  // namespace deepgemm::cpu::test
