#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "inline_budget.h"

namespace deepgemm {

// Why a job did not do its work; becomes a typed JavaScript error. Empty texts are left out.
struct JobError {
  const char* code;
  std::string subject;
  std::string given;
  std::string allowed;
};

// An in-order queue of jobs with one thread that runs them. Knows nothing of JavaScript.
class StreamCore {
 public:
  using Job = std::function<std::optional<JobError>()>;

  StreamCore() = default;
  ~StreamCore();
  StreamCore(const StreamCore&) = delete;
  StreamCore& operator=(const StreamCore&) = delete;

  // Appends a job and returns its ticket; tickets count from 1. A stopped stream drops the job.
  uint64_t enqueue(Job job);

  // For jobs of some tens of microseconds: runs the job at once on the calling thread when the
  // stream has nothing else to do and the budget allows it, and appends it otherwise.
  void run_small(Job job);

  uint64_t submitted() const;
  uint64_t completed() const { return completed_.load(std::memory_order_acquire); }

  // Blocks until the job with this ticket has finished or the stream has stopped.
  void wait(uint64_t ticket);

  // Calls `notify` on the stream's thread once the ticket has completed. False, without a call,
  // when it already has.
  bool notify_when(uint64_t ticket, std::function<void()> notify);

  // The first error among the jobs up to `ticket` that was not taken before, if any; the others up
  // to that ticket are dropped. Errors of later jobs stay for those who wait for them.
  std::optional<JobError> take_error(uint64_t ticket);

  // Lets queued jobs finish, then ends the thread. Returns at once.
  void close();

  // True once a closed stream's thread has nothing left to do.
  bool finished() const;

  // Drops queued jobs, waits for the running one and joins the thread.
  void stop();

 private:
  struct Notification {
    uint64_t ticket;
    std::function<void()> notify;
  };

  struct Failure {
    uint64_t ticket;
    JobError error;
  };

  bool begin_inline();
  void run();
  void finish_job(std::unique_lock<std::mutex>& lock, std::optional<JobError> error);

  mutable std::mutex mutex_;
  std::condition_variable work_;
  std::condition_variable done_;
  std::deque<Job> queue_;
  std::vector<Notification> notifications_;
  std::vector<Failure> failures_;  // In the order of their tickets.
  std::thread thread_;
  uint64_t submitted_ = 0;
  std::atomic<uint64_t> completed_{0};
  InlineBudget inline_budget_;
  bool closing_ = false;
  bool stopping_ = false;
  bool exited_ = false;
};

}  // namespace deepgemm
