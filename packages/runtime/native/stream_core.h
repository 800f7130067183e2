#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <exception>
#include <functional>
#include <mutex>
#include <new>
#include <optional>
#include <string>
#include <thread>
#include <vector>

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

  // What a job throws becomes its error.
  template <class Work>
  static std::optional<JobError> run_job(const Work& work);

  // `nicer`: by how much the niceness of the stream's thread exceeds that of its maker.
  explicit StreamCore(int nicer = 0) : nicer_(nicer) {}
  ~StreamCore();
  StreamCore(const StreamCore&) = delete;
  StreamCore& operator=(const StreamCore&) = delete;

  // Appends a job and returns its ticket; tickets count from 1. A stopped stream drops the job.
  uint64_t enqueue(Job job);

  // For jobs that the calling thread runs itself: true, and takes a ticket, when the stream has
  // nothing else to do. The caller then runs the job and says how it ended.
  bool begin_inline();
  uint64_t end_inline(std::optional<JobError> error);

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

  void run();
  void finish_job(std::unique_lock<std::mutex>& lock, std::optional<JobError> error);

  const int nicer_;
  mutable std::mutex mutex_;
  std::condition_variable work_;
  std::condition_variable done_;
  std::deque<Job> queue_;
  std::vector<Notification> notifications_;
  std::vector<Failure> failures_;  // In the order of their tickets.
  std::thread thread_;
  uint64_t submitted_ = 0;
  std::atomic<uint64_t> completed_{0};
  bool closing_ = false;
  bool stopping_ = false;
  bool exited_ = false;
};

// An exception that left the stream's thread would end the process. Short texts only: there may be
// no memory for long ones.
template <class Work>
std::optional<JobError> StreamCore::run_job(const Work& work) {
  try {
    return work();
  } catch (const std::bad_alloc&) {
    return JobError{"ERR_OUT_OF_MEMORY", "No memory for a job", "", ""};
  } catch (const std::exception& error) {
    return JobError{"ERR_NATIVE", error.what(), "", ""};
  }
}

}  // namespace deepgemm
