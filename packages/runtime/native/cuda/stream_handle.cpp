#include "stream_handle.h"

#include <utility>

#include "resource.h"

namespace deepgemm::cuda {

std::shared_ptr<StreamHandle> StreamHandle::create(std::shared_ptr<Context> context) {
  std::shared_ptr<StreamHandle> stream(new StreamHandle(std::move(context)));
  stream->context_->enter();
  stream->driver().stream_create(&stream->stream_, kStreamNonBlocking);
  return stream;
}

StreamHandle::~StreamHandle() {
  if (stream_ == nullptr) return;
  context_->try_enter();
  driver().stream_destroy.attempt(stream_);
}

// Relaxed, because allocations and copies on other streams go on while this one captures.
void StreamHandle::begin_capture() {
  driver().capture_begin(stream_, kCaptureRelaxed);
  capturing_ = true;
}

void StreamHandle::hold(std::shared_ptr<Resource> resource) {
  held_.push_back(std::move(resource));
}

CUgraph StreamHandle::end_capture(Held& held) {
  capturing_ = false;
  held = std::exchange(held_, {});
  CUgraph graph = nullptr;
  driver().capture_end(stream_, &graph);
  return graph;
}

std::shared_ptr<EventHandle> EventHandle::record(const StreamHandle& stream, bool timing) {
  std::shared_ptr<EventHandle> event(new EventHandle(stream.context()));
  const Driver& driver = stream.driver();
  driver.event_create(&event->event_, kEventBlockingSync | (timing ? 0 : kEventDisableTiming));
  driver.event_record(event->event_, stream.get());
  return event;
}

EventHandle::~EventHandle() {
  if (event_ == nullptr) return;
  context_->try_enter();
  context_->driver().event_destroy.attempt(event_);
}

}  // namespace deepgemm::cuda
