import { OptionError } from '../errors.js'
import { type Sm90Config, sm90ConfigName } from './config.js'
import { mathWarpGroups, SM90_SHARED_BYTES, sm90SharedBytes } from './tile.js'

type Rule = {
  readonly holds: (config: Sm90Config) => boolean
  readonly given: (config: Sm90Config) => string
  readonly allowed: string
}

const isCount = (value: number, least: number, most: number): boolean =>
  Number.isInteger(value) && value >= least && value <= most

/** f32 registers per thread that the sums and the accumulators take. */
export function accumulatorRegisters(config: Sm90Config): number {
  const chunk = config.blockRight / config.columnSplits / 2
  return chunk * config.rowBlocks * config.columnSplits + chunk * config.accumulators
}

/** Registers per thread that sums and accumulators may take, by math warp groups, without spills. */
function registerRoom(config: Sm90Config): number {
  // bf16 that is added to is read back in pairs.
  const pairs = config.accumulate && config.out === 'bf16' ? 8 : 0
  if (config.blocksPerSm === 2) return (mathWarpGroups(config) === 1 ? 64 : 40) - pairs
  if (mathWarpGroups(config) < 3) return 192
  // Column scales and the addresses of staged f32 take some.
  return config.rightScaling === 'vectors' || config.out === 'f32' ? 112 : 128
}

const rules: readonly Rule[] = [
  {
    holds: (c) => isCount(c.rowBlocks, 1, 2) && isCount(mathWarpGroups(c), 1, 3),
    given: (c) => `blockLeft ${c.blockLeft} with rowBlocks ${c.rowBlocks}`,
    allowed: 'one to three math warp groups of 64 × rowBlocks rows, rowBlocks 1 or 2',
  },
  {
    holds: (c) =>
      isCount(c.blockRight, 8, 256) &&
      c.blockRight % (c.swapped && c.multicast !== 'right' ? 8 : 16) === 0,
    given: (c) => `blockRight ${c.blockRight}`,
    allowed: 'a multiple of 16 (8 when swapped) up to 256',
  },
  {
    holds: (c) =>
      c.columnSplits === 1 ||
      (isCount(c.columnSplits, 2, 4) && (c.blockRight / c.columnSplits) % 16 === 0),
    given: (c) => `columnSplits ${c.columnSplits} of blockRight ${c.blockRight}`,
    allowed: '1, or up to 4 chunks of a multiple of 16 columns',
  },
  {
    holds: (c) => isCount(c.stages, 2, 32) && (isCount(c.unroll, 1, 8) || c.unroll === c.stages),
    given: (c) => `unroll ${c.unroll} with ${c.stages} stages`,
    allowed: '2 to 32 stages, and unroll 1 to 8 or as many as stages',
  },
  {
    holds: (c) => c.swapped === (c.leftScaling === 'blocks') && !bothBlocks(c),
    given: (c) => `${c.leftScaling} × ${c.rightScaling}${c.swapped ? ', swapped' : ''}`,
    allowed: 'vectors × blocks, vectors × vectors, or swapped blocks × vectors',
  },
  {
    holds: fitsLayout,
    given: (c) => `${c.layout}${c.swapped ? ', swapped' : ''}, multicast ${c.multicast}`,
    allowed:
      'swapped, without a cluster, in the dense, packed and masked layouts; k-grouped with 1x128 scales of both operands, the others with one',
  },
  {
    holds: (c) => accumulatorRegisters(c) <= registerRoom(c),
    given: (c) => `${accumulatorRegisters(c)} accumulator registers per thread`,
    allowed: 'what leaves a thread registers to work with',
  },
  {
    holds: (c) => sm90SharedBytes(c) <= sharedRoom(c),
    given: (c) => `${sm90SharedBytes(c)} bytes of shared memory`,
    allowed: 'what fits a multiprocessor blocksPerSm times',
  },
]

function fitsLayout({ layout, ...config }: Sm90Config): boolean {
  if (layout === undefined) return true
  const bothVectors = config.leftScaling === 'vectors' && config.rightScaling === 'vectors'
  if (bothVectors !== (layout === 'k-grouped')) return false
  const isShort = layout === 'packed' || layout === 'masked'
  return !config.swapped || (isShort && config.multicast === 'none')
}

function bothBlocks(config: Sm90Config): boolean {
  return config.leftScaling === 'blocks' && config.rightScaling === 'blocks'
}

function sharedRoom(config: Sm90Config): number {
  return config.blocksPerSm === 1
    ? SM90_SHARED_BYTES.block
    : SM90_SHARED_BYTES.multiprocessor / 2 - 1024
}

function brokenRule(config: Sm90Config): Rule | undefined {
  return rules.find((rule) => !rule.holds(config))
}

export function isLegalSm90Config(config: Sm90Config): boolean {
  return brokenRule(config) === undefined
}

/** @throws {OptionError} when the kernel cannot be compiled with this config */
export function requireSm90Config(config: Sm90Config): void {
  const broken = brokenRule(config)
  if (broken === undefined) return
  throw new OptionError(`The Hopper config ${sm90ConfigName(config)} is not possible`, {
    given: broken.given(config),
    allowed: broken.allowed,
    remedy: 'Choose a config with chooseSm90Config().',
  })
}
