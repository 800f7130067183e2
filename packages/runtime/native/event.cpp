#include "event.h"

#include "addon_data.h"

namespace deepgemm {

void Event::define(Napi::Env env, Napi::Object exports) {
  Napi::Function constructor = DefineClass(env, "Event", {InstanceAccessor<&Event::done>("done")});
  AddonData::of(env).event_constructor = Napi::Persistent(constructor);
  exports.Set("Event", constructor);
}

Napi::Object Event::make(Napi::Env env, std::shared_ptr<StreamCore> core, uint64_t ticket) {
  Napi::Object object = AddonData::of(env).event_constructor.New({});
  Event* event = Unwrap(object);
  event->core_ = std::move(core);
  event->ticket_ = ticket;
  return object;
}

Napi::Value Event::done(const Napi::CallbackInfo& info) {
  return Napi::Boolean::New(info.Env(), !core_ || core_->completed() >= ticket_);
}

}  // namespace deepgemm
