#include "stream.h"

#include <algorithm>

#include "addon_data.h"
#include "event.h"

namespace deepgemm {
namespace {

Napi::Value error_value(Napi::Env env, const JobError& error) {
  Napi::Object value = Napi::Error::New(env, error.subject).Value();
  value.Set("code", error.code);
  if (!error.given.empty()) value.Set("given", error.given);
  if (!error.allowed.empty()) value.Set("allowed", error.allowed);
  return value;
}

void settle_one(Napi::Env env, const Napi::Promise::Deferred& deferred,
                const std::optional<JobError>& error) {
  if (error) {
    deferred.Reject(error_value(env, *error));
  } else {
    deferred.Resolve(env.Undefined());
  }
}

uint64_t ticket_of(const Napi::Value& until, const StreamCore& core) {
  if (until.IsNumber()) return static_cast<uint64_t>(until.As<Napi::Number>().Int64Value());
  if (until.IsObject()) return Event::Unwrap(until.As<Napi::Object>())->ticket();
  return core.submitted();
}

}  // namespace

void Stream::define(Napi::Env env, Napi::Object exports) {
  exports.Set("Stream", DefineClass(env, "Stream",
                                    {InstanceMethod<&Stream::synchronize>("synchronize"),
                                     InstanceMethod<&Stream::record>("record"),
                                     InstanceMethod<&Stream::wait>("wait"),
                                     InstanceMethod<&Stream::close>("close")}));
}

Stream::Stream(const Napi::CallbackInfo& info)
    : ObjectWrap(info),
      core_(std::make_shared<StreamCore>(
          info[0].IsNumber() ? info[0].As<Napi::Number>().Int32Value() : 0)) {
  AddonData::of(info.Env()).track(core_);
}

Stream::~Stream() { core_->close(); }

// synchronize(until?): a promise for the work up to a ticket or an event, or for all of the
// stream's; undefined when that is done and nothing of it failed.
Napi::Value Stream::synchronize(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  const uint64_t ticket = ticket_of(info[0], *core_);
  // Behind others that wait, this one waits as well: an error is told to the first of them.
  if (waiters_.empty() && core_->completed() >= ticket) {
    const std::optional<JobError> error = core_->take_error(ticket);
    if (!error) return env.Undefined();
    Napi::Promise::Deferred deferred(env);
    settle_one(env, deferred, error);
    return deferred.Promise();
  }
  Napi::Promise::Deferred deferred(env);
  AddonData* data = &AddonData::of(env);
  waiters_.push_back({ticket, deferred});
  if (waiters_.size() == 1) Ref();  // Not collected while a promise waits.
  data->add_waiting(this, env);
  if (!core_->notify_when(ticket, [data] { data->wake(); })) data->wake();
  return deferred.Promise();
}

bool Stream::settle(Napi::Env env) {
  const uint64_t completed = core_->completed();
  std::vector<Waiter> settled;
  std::erase_if(waiters_, [&](const Waiter& waiter) {
    if (waiter.ticket > completed) return false;
    settled.push_back(waiter);
    return true;
  });
  if (settled.empty()) return waiters_.empty();
  // In the order of the work, so that a failure reaches those who wait for the job that failed and
  // nobody who waits for earlier or later jobs.
  std::ranges::stable_sort(settled, {}, &Waiter::ticket);
  std::optional<JobError> error;
  for (size_t i = 0; i < settled.size(); i++) {
    Waiter& waiter = settled[i];
    if (i == 0 || waiter.ticket != settled[i - 1].ticket) error = core_->take_error(waiter.ticket);
    settle_one(env, waiter.deferred, error);
  }
  if (!waiters_.empty()) return false;
  Unref();
  return true;
}

Napi::Value Stream::record(const Napi::CallbackInfo& info) {
  return Event::make(info.Env(), core_, core_->submitted());
}

// wait(event): later work of this stream starts after the event. Tickets only point backwards,
// so two streams cannot wait for one another.
void Stream::wait(const Napi::CallbackInfo& info) {
  Event* event = Event::Unwrap(info[0].As<Napi::Object>());
  if (event->core() == core_) return;
  core_->enqueue([core = event->core(), ticket = event->ticket()] {
    core->wait(ticket);
    return std::optional<JobError>();
  });
}

void Stream::close(const Napi::CallbackInfo&) { core_->close(); }

}  // namespace deepgemm
