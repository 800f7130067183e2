#include "js_cuda.h"

#include "js_device.h"
#include "js_memory.h"
#include "js_module.h"
#include "js_stream.h"

namespace deepgemm::cuda {

void define_cuda(Napi::Env env, Napi::Object exports) {
  Napi::Object cuda = Napi::Object::New(env);
  Device::define(env, cuda);
  Stream::define(env, cuda);
  Event::define(env, cuda);
  Memory::define(env, cuda);
  Pinned::define(env, cuda);
  Module::define(env, cuda);
  Function::define(env, cuda);
  Graph::define(env, cuda);
  define_copies(env, cuda);
  define_probe(env, cuda);
  define_launch(env, cuda);
  define_nvrtc(env, cuda);
  exports.Set("cuda", cuda);
}

}  // namespace deepgemm::cuda
