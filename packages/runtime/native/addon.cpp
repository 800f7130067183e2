#include <napi.h>

#include "addon_data.h"
#include "buffer.h"
#include "cpu_device.h"
#include "cuda/js_cuda.h"
#include "event.h"
#include "ops.h"
#include "stream.h"

namespace {

using namespace deepgemm;

Napi::Object init(Napi::Env env, Napi::Object exports) {
  env.SetInstanceData(new AddonData(env));
  exports.Set("params", AddonData::of(env).make_params(env));
  Buffer::define(env, exports);
  Event::define(env, exports);
  Stream::define(env, exports);
  CpuDevice::define(env, exports);
  define_gemm_ops(env, exports);
  define_cast_ops(env, exports);
  define_moe_ops(env, exports);
  cuda::define_cuda(env, exports);
  return exports;
}

}  // namespace

NODE_API_MODULE(deepgemm_runtime, init)
