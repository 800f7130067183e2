#include "addon_data.h"

#include "stream.h"

namespace deepgemm {

AddonData::AddonData(Napi::Env env) {
  wake_ = decltype(wake_)::New(env, "deepgemm completions", 0, 1, this);
  wake_.Unref(env);
  graveyard_ = std::make_shared<Graveyard>([this] { wake(); });
  // Runs before the thread-safe function closes: hooks run in the reverse order of their making.
  env.AddCleanupHook([](AddonData* self) { self->stop_all(); }, this);
}

AddonData::~AddonData() { stop_all(); }

Napi::Float64Array AddonData::make_params(Napi::Env env) {
  Napi::Float64Array array = Napi::Float64Array::New(env, kMaxParams);
  params_array_ = Napi::Persistent(array);
  params_ = array.Data();
  return array;
}

void AddonData::track(std::shared_ptr<StreamCore> core) {
  sweep();
  cores_.push_back(std::move(core));
}

void AddonData::add_waiting(Stream* stream, Napi::Env env) {
  if (waiting_.empty()) wake_.Ref(env);
  waiting_.insert(stream);
}

void AddonData::wake() { wake_.NonBlockingCall(); }

void AddonData::on_wake(Napi::Env env, Napi::Function, AddonData* self, void*) {
  if (env == nullptr) return;
  try {
    self->settle(env);
  } catch (const Napi::Error&) {
    // The environment is ending: promises cannot be settled, and nobody is left to be told.
  }
}

void AddonData::settle(Napi::Env env) {
  inline_budget_.turn();
  graveyard_->empty();
  const std::vector<Stream*> streams(waiting_.begin(), waiting_.end());
  for (Stream* stream : streams) {
    if (stream->settle(env)) waiting_.erase(stream);
  }
  if (!streams.empty() && waiting_.empty()) wake_.Unref(env);
}

void AddonData::sweep() {
  std::erase_if(cores_, [](const auto& core) { return core->finished(); });
}

void AddonData::stop_all() {
  if (stopped_) return;
  stopped_ = true;
  for (auto& core : cores_) core->stop();
  cores_.clear();
  graveyard_->close();
}

}  // namespace deepgemm
