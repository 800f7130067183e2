#pragma once

#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include "world.h"

namespace fake {

using Job = std::function<void()>;

// A stream: a queue with a thread, or, while it captures, a list of what a graph will do.
class StreamQueue : public std::enable_shared_from_this<StreamQueue> {
 public:
  // `always` jobs run also on a lost device: frees, and marks that others wait for.
  void push(Job job, bool always = false);
  bool idle();
  void drain();
  // Queued work still finishes.
  void close();

  bool capturing();
  void begin_capture();
  // Null when the capture is no longer valid.
  std::unique_ptr<std::vector<Job>> end_capture();
  // For calls that a capturing stream does not take: true then, and the capture is of no use.
  bool spoils_capture();

 private:
  struct Entry {
    Job job;
    bool always;
  };
  void run();

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Entry> queue_;
  bool capturing_ = false;
  std::unique_ptr<std::vector<Job>> capture_;
  bool started_ = false;
  bool busy_ = false;
  bool closed_ = false;
};

// A point in a stream: the last recording counts.
struct Event {
  uint64_t recorded = 0;
  uint64_t reached = 0;
  std::chrono::steady_clock::time_point time;
};

// What a CUstream, CUevent or CUgraph of this driver points at.
struct StreamBox {
  std::shared_ptr<StreamQueue> queue = std::make_shared<StreamQueue>();
};
struct EventBox {
  std::shared_ptr<Event> event = std::make_shared<Event>();
};
struct GraphBox {
  std::vector<Job> jobs;
};

inline StreamQueue& queue_of(CUstream stream) {
  return *reinterpret_cast<StreamBox*>(stream)->queue;
}

}  // namespace fake
