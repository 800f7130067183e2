#pragma once

#include <napi.h>

#include <memory>
#include <set>
#include <vector>

#include "buffer_table.h"
#include "graveyard.h"
#include "inline_budget.h"
#include "stream_core.h"

namespace deepgemm {

class Stream;

// What one JavaScript environment (the main thread or a worker) holds of this addon.
class AddonData {
 public:
  explicit AddonData(Napi::Env env);
  ~AddonData();

  static AddonData& of(Napi::Env env) { return *env.GetInstanceData<AddonData>(); }

  Napi::FunctionReference buffer_constructor;
  Napi::FunctionReference event_constructor;

  // Streams whose threads must be joined before the environment goes away.
  void track(std::shared_ptr<StreamCore> core);

  // Streams with promises to settle keep the event loop alive.
  void add_waiting(Stream* stream, Napi::Env env);

  // Callable from any thread: settles promises of finished work on the JavaScript thread.
  void wake();

  // The parameters of the operation that is being called, which TypeScript fills.
  static constexpr size_t kMaxParams = 128;
  Napi::Float64Array make_params(Napi::Env env);
  const double* params() const { return params_; }

  // Shared, because buffers may be finalised after the environment's data.
  const std::shared_ptr<BufferTable>& buffers() const { return buffers_; }

  // Of jobs that run on the JavaScript thread.
  bool allows_inline() const { return inline_budget_.allows(); }
  void spend_inline(InlineBudget::Clock::duration time) {
    if (inline_budget_.spend(time)) wake();  // which ends the turn
  }

  // Shared, because the last holder of borrowed memory may outlive the environment.
  const std::shared_ptr<Graveyard>& graveyard() const { return graveyard_; }

 private:
  void settle(Napi::Env env);
  void sweep();
  void stop_all();

  static void on_wake(Napi::Env env, Napi::Function, AddonData* self, void*);

  // Calls no JavaScript: wakes may still be pending when the environment can run none any more.
  Napi::TypedThreadSafeFunction<AddonData, void, on_wake> wake_;
  std::set<Stream*> waiting_;
  std::vector<std::shared_ptr<StreamCore>> cores_;
  std::shared_ptr<Graveyard> graveyard_;
  std::shared_ptr<BufferTable> buffers_ = std::make_shared<BufferTable>();
  InlineBudget inline_budget_;
  Napi::Reference<Napi::Float64Array> params_array_;
  double* params_ = nullptr;
  bool stopped_ = false;
};

}  // namespace deepgemm
