#include "error.h"
#include "js_cuda.h"
#include "js_memory.h"
#include "js_module.h"
#include "js_stream.h"
#include "packed_launch.h"

namespace deepgemm::cuda {
namespace {

PackedLaunch::Memories memories_of(const Napi::Value& value) {
  Napi::Array list = value.As<Napi::Array>();
  PackedLaunch::Memories memories;
  memories.reserve(list.Length());
  for (uint32_t i = 0; i < list.Length(); i++) {
    memories.push_back(Memory::of(Napi::Value(list[i])).get());
  }
  return memories;
}

// A launch that JavaScript keeps.
class Launch : public Napi::ObjectWrap<Launch> {
 public:
  static void define(Napi::Env env, Napi::Object exports) {
    exports.Set("Launch", DefineClass(env, "CudaLaunch",
                                      {InstanceMethod<&Launch::run>("run"),
                                       InstanceMethod<&Launch::rebind>("rebind"),
                                       InstanceMethod<&Launch::addresses>("addresses")}));
  }

  // new Launch(function, numbers: Float64Array, memories)
  explicit Launch(const Napi::CallbackInfo& info) : ObjectWrap(info) {
    const Function& function = Function::of(info[0]);
    const auto module = function.module();
    const Numbers numbers(info[1].As<Napi::Float64Array>().Data());
    const auto memories = memories_of(info[2]);
    packed_ = guarded(info.Env(), module->context()->driver(), [&] {
      return std::make_unique<PackedLaunch>(module, function.get(), numbers, memories);
    });
  }

 private:
  // run(stream): false when the module or a memory was given up.
  Napi::Value run(const Napi::CallbackInfo& info) {
    const auto& stream = Stream::of(info[0]).handle();
    const bool ran = guarded(info.Env(), stream->driver(), [&] { return packed_->run(stream); });
    return Napi::Boolean::New(info.Env(), ran);
  }

  // rebind(memories, moves: Float64Array): of each memory, which address points into it and where.
  void rebind(const Napi::CallbackInfo& info) {
    const auto memories = memories_of(info[0]);
    if (memories.empty()) return;
    const Numbers moves(info[1].As<Napi::Float64Array>().Data());
    guarded(info.Env(), memories.front()->context()->driver(),
            [&] { packed_->rebind(memories, moves); });
  }

  Napi::Value addresses(const Napi::CallbackInfo& info) {
    return Napi::Number::New(info.Env(), static_cast<double>(packed_->addresses()));
  }

  std::unique_ptr<PackedLaunch> packed_;
};

// launch(stream, function, numbers: Float64Array, memories): once.
void launch(const Napi::CallbackInfo& info) {
  const auto& stream = Stream::of(info[0]).handle();
  const Function& function = Function::of(info[1]);
  const Numbers numbers(info[2].As<Napi::Float64Array>().Data());
  const auto memories = memories_of(info[3]);
  guarded(info.Env(), stream->driver(),
          [&] { PackedLaunch(function.module(), function.get(), numbers, memories).run(stream); });
}

}  // namespace

void define_launch(Napi::Env env, Napi::Object exports) {
  Launch::define(env, exports);
  exports.Set("launch", Napi::Function::New(env, launch));
}

}  // namespace deepgemm::cuda
