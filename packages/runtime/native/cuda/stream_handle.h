#pragma once

#include <memory>
#include <mutex>
#include <vector>

#include "context.h"

namespace deepgemm::cuda {

class EventHandle;
class Resource;

// A stream of the driver. The driver finishes queued work before it lets go of one.
class StreamHandle {
 public:
  using Held = std::vector<std::shared_ptr<Resource>>;

  // Throws a Failure.
  static std::shared_ptr<StreamHandle> create(std::shared_ptr<Context> context);
  ~StreamHandle();
  StreamHandle(const StreamHandle&) = delete;
  StreamHandle& operator=(const StreamHandle&) = delete;

  CUstream get() const { return stream_; }
  const std::shared_ptr<Context>& context() const { return context_; }
  const Driver& driver() const { return context_->driver(); }

  // Nothing more is enqueued; resources forget the stream once it is idle.
  void close() { closed_ = true; }
  bool finished() const { return closed_ && driver().stream_query.attempt(stream_) == kSuccess; }

  // Marks the work so far; while the stream captures, the work before that. Any thread. Throws a
  // Failure.
  std::shared_ptr<EventHandle> mark() const;

  // Blocks until the work of `mark` is done, or can never be. Any thread.
  void wait() const;

  // Has `work` enqueue on the stream, unless that captures: false then, and nothing was done. Any
  // thread: what lets go of resources has one of its own, and must not get into a capture.
  template <typename Work>
  bool unless_capturing(Work work) const {
    std::lock_guard lock(mutex_);
    if (capturing_) return false;
    work();
    return true;
  }

  // While a stream captures, its work becomes a graph, which then holds what the work uses.
  void begin_capture();
  bool capturing() const { return capturing_; }
  void hold(std::shared_ptr<Resource> resource);

  // Ends the capture; the graph is the caller's. Throws a Failure, and the capture has ended then.
  CUgraph end_capture(Held& held);

 private:
  explicit StreamHandle(std::shared_ptr<Context> context) : context_(std::move(context)) {}

  std::shared_ptr<Context> context_;
  CUstream stream_ = nullptr;
  mutable std::mutex mutex_;  // of captures: no other thread's work falls between their ends
  bool capturing_ = false;
  std::shared_ptr<EventHandle> before_capture_;
  bool closed_ = false;
  Held held_;
};

// An event of the driver: a point in a stream.
class EventHandle {
 public:
  // Creates an event and records it on `stream`. Throws a Failure.
  static std::shared_ptr<EventHandle> record(const StreamHandle& stream, bool timing);
  ~EventHandle();
  EventHandle(const EventHandle&) = delete;
  EventHandle& operator=(const EventHandle&) = delete;

  CUevent get() const { return event_; }
  const std::shared_ptr<Context>& context() const { return context_; }

 private:
  explicit EventHandle(std::shared_ptr<Context> context) : context_(std::move(context)) {}

  std::shared_ptr<Context> context_;
  CUevent event_ = nullptr;
};

}  // namespace deepgemm::cuda
