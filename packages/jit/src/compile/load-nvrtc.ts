import type { NvrtcBinding } from './nvrtc.js'

/**
 * libnvrtc as the runtime's addon opens it: `DEEPGEMM_NVRTC_LIBRARY`, else the system's. The runtime
 * is loaded only here: who has a filled cache needs neither a compiler nor the addon.
 */
export async function loadNvrtc(env: NodeJS.ProcessEnv): Promise<NvrtcBinding> {
  const { openNvrtc } = await import('@deepgemm/runtime/cuda')
  return openNvrtc(env)
}
