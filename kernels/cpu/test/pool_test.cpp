#include <atomic>
#include <stdexcept>
#include <thread>
#include <vector>

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
    {"thread counts below one mean one", values_below_one_mean_one},
};

}  // namespace
}  // namespace deepgemm::cpu::test
