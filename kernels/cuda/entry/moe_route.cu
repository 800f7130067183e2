// Routing: the experts of every token and their weights, a warp per token. config.cuh is generated
// (RouteConfig).
#include "moe/route_token.cuh"
#include "ptx/control.cuh"

extern "C" __global__ void __launch_bounds__(deepgemm::RouteConfig::kWarps * 32)
    moe_route(const __grid_constant__ deepgemm::RouteArguments arguments) {
  using namespace deepgemm;
  __shared__ TokenStorage tokens[RouteConfig::kWarps];
  ptx::allow_next_kernel();
  ptx::wait_for_previous_kernel();
  const u32 warp = threadIdx.x / kWarpThreads;
  const u32 token = blockIdx.x * RouteConfig::kWarps + warp;
  if (token < arguments.tokens) route_token(arguments, token, tokens[warp]);
}
