// The libraries beside ours on a GPU, under the names that results have.

import { PEERS, type PeerName } from '../../gpu/options.js'
import { findPython, GpuPeers, peerProcess } from '../../gpu/peers.js'
import { type ContestantInfo, OURS } from '../result.js'

export const CUDA_PEERS: readonly PeerName[] = PEERS

const LABELS: Readonly<Record<PeerName, Omit<ContestantInfo, 'version'>>> = {
  deepgemm: { label: 'DeepGEMM', operands: 'e4m3, block scales' },
  deepgemm_dependent: { label: 'DeepGEMM, dependent launch', operands: 'e4m3, block scales' },
  cublaslt: { label: 'cuBLASLt, block scales', operands: 'e4m3, block scales' },
  cublaslt_tensor: { label: 'cuBLASLt, one scale', operands: 'e4m3, one scale' },
  triton: { label: 'Triton', operands: 'e4m3, block scales' },
}

/** Ours, and the peers that were found. */
export function contestantsOf(
  versions: Readonly<Record<string, string>>,
): Record<string, ContestantInfo> {
  const infos: Record<string, ContestantInfo> = {
    [OURS]: { label: 'ours', version: '', operands: 'e4m3, block scales' },
  }
  for (const [name, version] of Object.entries(versions)) {
    const known = LABELS[name as PeerName]
    if (known !== undefined) infos[name] = { ...known, version }
  }
  return infos
}

export type StartedPeers = { readonly peers: GpuPeers | undefined; readonly absent: string[] }

/** Peers live in Python: without one they are missing, and said so. */
export async function startPeers(
  names: readonly string[],
  python: string | undefined,
): Promise<StartedPeers> {
  const wanted = CUDA_PEERS.filter((name) => names.includes(name))
  if (wanted.length === 0) return { peers: undefined, absent: [] }
  const file = python ?? findPython(process.env['PATH'])
  if (file === undefined) {
    const absent = ['no python3 on the PATH: the peers need a Python with PyTorch (--python)']
    return { peers: undefined, absent }
  }
  return { peers: await GpuPeers.start(peerProcess(file), wanted), absent: [] }
}
