// What every GPU benchmark holds while it runs: the GPU, the peers, and what is known of both.

import { CudaDevice } from '@deepgemm/runtime/cuda'
import { Device, DeviceError } from 'deepgemm'
import type { BenchHost } from '../benchmark.js'
import { commit } from '../meta.js'
import { gpuState } from './meta.js'
import type { CommonOptions } from './options.js'
import { findPython, GpuPeers, peerProcess } from './peers.js'
import type { GpuMeta } from './report.js'

export type GpuSession = {
  readonly device: CudaDevice
  /** Undefined when none was asked for. */
  readonly peers: GpuPeers | undefined
  /** Where and when; asked for at the end. */
  meta(texts: { readonly method: string; readonly compared: string }): Promise<GpuMeta>
}

/** Opens the GPU and starts the peers, and ends both after `work`. @throws {DeepGemmError} */
export async function withGpu<Result>(
  options: CommonOptions,
  host: BenchHost,
  work: (session: GpuSession) => Promise<Result>,
): Promise<Result> {
  const start = performance.now()
  const peers = await startPeers(options)
  try {
    for (const reason of peers?.missing ?? []) host.say(`missing: ${reason}`)
    await using device = await openGpu()
    const bandwidth = (await peers?.copyBandwidth()) ?? null
    return await work({
      device,
      peers,
      meta: async (texts) => ({
        device: device.name,
        multiprocessors: device.properties.multiprocessors,
        ...(await gpuState()),
        copy_bandwidth_gbs: bandwidth,
        date: new Date().toISOString(),
        commit: options.commit ?? (await commit(['kernels', 'packages', 'tools/bench'])),
        command: host.command,
        node: process.versions.node,
        rounds: options.rounds,
        replays: options.replays,
        quick: options.quick,
        seconds: Math.round((performance.now() - start) / 1000),
        peers: peers?.versions ?? {},
        missing: peers?.missing ?? [],
        ...texts,
      }),
    })
  } finally {
    peers?.close()
  }
}

async function openGpu(): Promise<CudaDevice> {
  const device = await Device.open({ kind: 'cuda' })
  if (device instanceof CudaDevice) return device
  throw new DeviceError('This benchmark needs a GPU', { given: device.id, allowed: 'cuda' })
}

async function startPeers({ peers, python }: CommonOptions): Promise<GpuPeers | undefined> {
  if (peers.length === 0) return undefined
  const file = python ?? findPython(process.env['PATH'])
  if (file !== undefined) return GpuPeers.start(peerProcess(file), peers)
  throw new DeviceError('The peers need Python', {
    given: 'no python3 on the PATH',
    allowed: 'a Python with PyTorch',
    remedy: 'Name it with --python, or measure without peers: --peers none.',
  })
}
