#include "js_stream.h"

#include "../stream.h"
#include "error.h"
#include "js_device.h"

namespace deepgemm::cuda {
namespace {

// True when done, false while not; other answers are failures.
bool finished(CUresult status, const char* call) {
  if (status != kSuccess && status != kNotReady) throw Failure{call, status};
  return status == kSuccess;
}

}  // namespace

void Stream::define(Napi::Env env, Napi::Object exports) {
  exports.Set("Stream", DefineClass(env, "CudaStream",
                                    {InstanceMethod<&Stream::is_idle>("isIdle"),
                                     InstanceMethod<&Stream::wait>("wait"),
                                     InstanceMethod<&Stream::begin_capture>("beginCapture"),
                                     InstanceMethod<&Stream::abort_capture>("abortCapture"),
                                     InstanceMethod<&Stream::dispose>("dispose")}));
}

Stream::Stream(const Napi::CallbackInfo& info) : ObjectWrap(info) {
  const auto& context = Device::of(info[0]).context();
  handle_ = guarded(info.Env(), context->driver(), [&] { return StreamHandle::create(context); });
}

Napi::Value Stream::is_idle(const Napi::CallbackInfo& info) {
  const bool idle = guarded(info.Env(), driver(), [&] {
    handle_->context()->enter();
    return finished(driver().stream_query.attempt(handle_->get()), driver().stream_query.symbol());
  });
  return Napi::Boolean::New(info.Env(), idle);
}

// wait(event): later work of this stream starts after the event.
void Stream::wait(const Napi::CallbackInfo& info) {
  guarded(info.Env(), driver(), [&] {
    handle_->context()->enter();
    driver().stream_wait(handle_->get(), Event::of(info[0]).handle()->get(), 0);
  });
}

void Stream::begin_capture(const Napi::CallbackInfo& info) {
  guarded(info.Env(), driver(), [&] {
    handle_->context()->enter();
    handle_->begin_capture();
  });
}

// For captures whose making has failed: what comes of the end does not matter.
void Stream::abort_capture(const Napi::CallbackInfo&) {
  handle_->context()->try_enter();
  StreamHandle::Held held;
  try {
    driver().graph_destroy.attempt(handle_->end_capture(held));
  } catch (const Failure&) {
    return;
  }
}

void Stream::dispose(const Napi::CallbackInfo&) {
  handle_->close();
  handle_.reset();
}

void Event::define(Napi::Env env, Napi::Object exports) {
  exports.Set("Event", DefineClass(env, "CudaEvent",
                                   {InstanceMethod<&Event::is_done>("isDone"),
                                    InstanceMethod<&Event::settle_on>("settleOn"),
                                    InstanceMethod<&Event::elapsed_since>("elapsedSince"),
                                    InstanceMethod<&Event::dispose>("dispose")}));
}

Event::Event(const Napi::CallbackInfo& info) : ObjectWrap(info) {
  const auto& stream = Stream::of(info[0]).handle();
  const bool timing = info[1].ToBoolean();
  handle_ = guarded(info.Env(), stream->driver(), [&] {
    stream->context()->enter();
    return EventHandle::record(*stream, timing);
  });
}

Napi::Value Event::is_done(const Napi::CallbackInfo& info) {
  const Driver& driver = handle_->context()->driver();
  const bool done = guarded(info.Env(), driver, [&] {
    handle_->context()->enter();
    return finished(driver.event_query.attempt(handle_->get()), driver.event_query.symbol());
  });
  return Napi::Boolean::New(info.Env(), done);
}

// settleOn(waiter): the waiter's next job ends when the event has happened.
void Event::settle_on(const Napi::CallbackInfo& info) {
  auto* waiter = deepgemm::Stream::Unwrap(info[0].As<Napi::Object>());
  waiter->core().enqueue([event = handle_] {
    const Driver& driver = event->context()->driver();
    return guarded_job(driver, [&] {
      event->context()->enter();
      driver.event_synchronize(event->get());
    });
  });
}

// elapsedSince(earlier): milliseconds; both have happened and were made for timing.
Napi::Value Event::elapsed_since(const Napi::CallbackInfo& info) {
  const Driver& driver = handle_->context()->driver();
  float milliseconds = 0;
  guarded(info.Env(), driver, [&] {
    handle_->context()->enter();
    driver.event_elapsed(&milliseconds, Event::of(info[0]).handle()->get(), handle_->get());
  });
  return Napi::Number::New(info.Env(), milliseconds);
}

void Event::dispose(const Napi::CallbackInfo&) { handle_.reset(); }

}  // namespace deepgemm::cuda
