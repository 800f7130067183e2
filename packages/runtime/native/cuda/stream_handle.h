#pragma once

#include <memory>
#include <vector>

#include "context.h"

namespace deepgemm::cuda {

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
  bool capturing_ = false;
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
