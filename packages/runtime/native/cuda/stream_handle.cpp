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

std::shared_ptr<EventHandle> StreamHandle::mark() const {
  std::lock_guard lock(mutex_);
  return capturing_ ? before_capture_ : EventHandle::record(*this, false);
}

void StreamHandle::wait() const {
  try {
    driver().event_synchronize.attempt(mark()->get());
  } catch (const Failure&) {
    // The device is lost, and nothing runs any more.
  }
}

// Relaxed, because allocations and copies on other streams go on while this one captures.
void StreamHandle::begin_capture() {
  std::lock_guard lock(mutex_);
  before_capture_ = EventHandle::record(*this, false);
  driver().capture_begin(stream_, kCaptureRelaxed);
  capturing_ = true;
}

void StreamHandle::hold(std::shared_ptr<Resource> resource) {
  held_.push_back(std::move(resource));
}

CUgraph StreamHandle::end_capture(Held& held) {
  std::lock_guard lock(mutex_);
  capturing_ = false;
  before_capture_.reset();
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
