// Pure: the command line of the GPU benchmark.

import { OptionError } from 'deepgemm'
import { list, notEmpty, understood, wholeNumber } from '../command-line.js'
import { type GpuCase, gpuCase, gpuCases } from './cases.js'
import { GROUP_LAYOUTS, type LayerCase, layerCases, type MoeCase, moeCases } from './moe/cases.js'

export const PEERS = [
  'deepgemm',
  'deepgemm_dependent',
  'cublaslt',
  'cublaslt_tensor',
  'triton',
] as const
/** Those that the rows of `gpu` and `gpu-moe` have columns for. */
const COLUMN_PEERS: readonly PeerName[] = PEERS.slice(0, 3)
/** Compositions of the fused layer. */
const LAYER_PEERS = ['torch_layer', 'triton_layer'] as const
export type LayerPeerName = (typeof LAYER_PEERS)[number]
export type PeerName = (typeof PEERS)[number]
export type AnyPeerName = PeerName | LayerPeerName
/** Those that rows of grouped products and layers have columns for. */
const MOE_PEERS: readonly AnyPeerName[] = ['deepgemm', 'cublaslt', ...LAYER_PEERS]

/** What the benchmarks of dense and of grouped products share. */
export type CommonOptions = {
  /** Where the JSON goes; undefined: nowhere. */
  readonly out: string | undefined
  readonly quick: boolean
  readonly peers: readonly AnyPeerName[]
  /** The Python that runs the peers; undefined: the first python3 on the PATH. */
  readonly python: string | undefined
  readonly rounds: number
  /** Replays of every graph in every round. */
  readonly replays: number
  /** What is measured, where git is not there to tell. */
  readonly commit: string | undefined
}

export type GpuOptions = CommonOptions & { readonly cases: readonly GpuCase[] }
export type MoeOptions = CommonOptions & {
  readonly cases: readonly MoeCase[]
  readonly layers: readonly LayerCase[]
}

export const GPU_USAGE: string = `usage: node tools/bench/dist/main.js gpu [options]        dense products
       node tools/bench/dist/main.js gpu-moe [options]    grouped products

  --out <file>        write the results as JSON
  --quick             few shapes, one round of 3 replays: does everything work?
  --only <product>    this product alone; may be given several times.
                      gpu: M,N,K, or wgrad:M,N,K for a gradient
                      gpu-moe: LAYOUT:GROUPS,M,N,K with the M that groups are expected to have, or
                      layer:EXPERTS,TOKENS,HIDDEN,INTERMEDIATE
  --peers <list>      of ${COLUMN_PEERS.join(',')}; gpu-moe: of
                      ${MOE_PEERS.join(',')} (default all), or none
  --python <file>     the Python that has the peers (default: python3 on the PATH)
  --rounds <count>    turns of every contestant (default 3)
  --replays <count>   replays of a graph in each turn (default 15)
  --commit <id>       what is measured, where there is no git
  --debug             show the stack of an error

DEEPGEMM_PEER_PATH names the folder that has the Python package deep_gemm.
`

const OPTIONS = {
  out: { type: 'string' },
  quick: { type: 'boolean' },
  only: { type: 'string', multiple: true },
  peers: { type: 'string' },
  python: { type: 'string' },
  rounds: { type: 'string' },
  replays: { type: 'string' },
  commit: { type: 'string' },
  debug: { type: 'boolean' },
} as const

const GRADIENT = 'wgrad:'
const GROUPED = [...GROUP_LAYOUTS, 'layer'] as const
const MOST_ROUNDS = 100
const MOST_REPLAYS = 1000
const MOST_EXTENT = 2 ** 31 - 1

/** @throws {OptionError} for anything that is not understood. */
export function parseGpuOptions(args: readonly string[]): GpuOptions {
  const { common, only } = parsedOptions(args, COLUMN_PEERS)
  return { ...common, cases: only?.map(onlyCase) ?? gpuCases(common.quick) }
}

/** @throws {OptionError} for anything that is not understood. */
export function parseMoeOptions(args: readonly string[]): MoeOptions {
  const { common, only } = parsedOptions(args, MOE_PEERS)
  if (only === undefined) {
    return { ...common, cases: moeCases(common.quick), layers: layerCases(common.quick) }
  }
  const chosen = only.map(onlyGrouped)
  return {
    ...common,
    cases: chosen.filter((item) => item.problem !== 'layer'),
    layers: chosen.filter((item) => item.problem === 'layer'),
  }
}

type Parsed = { readonly common: CommonOptions; readonly only: readonly string[] | undefined }

function parsedOptions(args: readonly string[], peers: readonly AnyPeerName[]): Parsed {
  const { values, positionals } = understood(args, OPTIONS)
  if (positionals.length !== 1) {
    throw new OptionError('The command line is not understood', {
      given: positionals.join(' '),
      allowed: 'gpu or gpu-moe, and options',
    })
  }
  const quick = values.quick === true
  const common = {
    out: notEmpty('--out', values.out, 'a file'),
    quick,
    peers: peerList(values.peers ?? peers.join(','), peers),
    python: notEmpty('--python', values.python, 'a file'),
    rounds: wholeNumber('--rounds', values.rounds ?? (quick ? '1' : '3'), MOST_ROUNDS),
    replays: wholeNumber('--replays', values.replays ?? (quick ? '3' : '15'), MOST_REPLAYS),
    commit: notEmpty('--commit', values.commit, 'a commit'),
  }
  return { common, only: values.only }
}

/** `LAYOUT:GROUPS,M,N,K`, or `layer:EXPERTS,TOKENS,HIDDEN,INTERMEDIATE` */
function onlyGrouped(text: string): MoeCase | LayerCase {
  const [name, extents = ''] = text.split(':')
  const problem = GROUPED.find((problem) => problem === name)
  const sizes = extents.split(',')
  if (problem === undefined || sizes.length !== 4) {
    throw new OptionError('The option --only has a wrong value', {
      given: text === '' ? 'nothing' : text,
      allowed: `LAYOUT:GROUPS,M,N,K with a layout of ${GROUPED.join(', ')}`,
    })
  }
  const numbers = sizes.map((size) => wholeNumber('--only', size, MOST_EXTENT))
  const [groups, expected_m, n, k] = numbers as [number, number, number, number]
  return { problem, groups, expected_m, n, k }
}

/** `M,N,K`, or `wgrad:M,N,K` for a gradient that is not among the usual ones. */
function onlyCase(text: string): GpuCase {
  const isGradient = text.startsWith(GRADIENT)
  const extents = (isGradient ? text.slice(GRADIENT.length) : text).split(',')
  if (extents.length !== 3) {
    throw new OptionError('The option --only has a wrong value', {
      given: text === '' ? 'nothing' : text,
      allowed: 'M,N,K such as 64,4096,7168, or wgrad:M,N,K',
    })
  }
  const sizes = extents.map((extent) => wholeNumber('--only', extent, MOST_EXTENT))
  const [m, n, k] = sizes as [number, number, number]
  return isGradient ? { problem: 'wgrad', m, n, k } : gpuCase(m, n, k)
}

function peerList(text: string, known: readonly AnyPeerName[]): readonly AnyPeerName[] {
  if (text === 'none') return []
  return list(text).map((name) => {
    const found = known.find((peer) => peer === name)
    if (found !== undefined) return found
    throw new OptionError('The option --peers has a wrong value', {
      given: name === '' ? 'nothing' : name,
      allowed: `${known.join(', ')}, or none`,
    })
  })
}
