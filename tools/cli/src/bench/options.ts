import { PEER_NAMES } from '@deepgemm/bench'
import { OptionError } from 'deepgemm'
import { type RawOptions, text, wholeNumber } from '../options.js'

const MOST_EXTENT = 1 << 20
const MOST_ROWS = 64

/** `--m 64` or `--m 1,64,512`; undefined when it is not given. @throws {OptionError} */
export function rowList(options: RawOptions): readonly number[] | undefined {
  const given = options['m']
  if (given === undefined) return undefined
  const rows = String(given)
    .split(',')
    .map((part) => (/^\d+$/.test(part) ? Number(part) : Number.NaN))
  const isFine = rows.every((value) => value >= 1 && value <= MOST_EXTENT)
  if (isFine && rows.length <= MOST_ROWS && !Array.isArray(given)) return [...new Set(rows)]
  throw new OptionError('The option --m has a wrong value', {
    given: Array.isArray(given) ? `${given.length} values` : String(given),
    allowed: `up to ${MOST_ROWS} whole numbers from 1 to ${MOST_EXTENT}, as in 1,64,512`,
  })
}

/** `--n` and `--k`, together or not at all. @throws {OptionError} */
export function weightExtents(options: RawOptions): { n: number; k: number } | undefined {
  if (options['n'] === undefined && options['k'] === undefined) return undefined
  const range = { min: 1, max: MOST_EXTENT }
  return { n: wholeNumber(options, 'n', range), k: wholeNumber(options, 'k', range) }
}

/** Peers that may take part: all where nothing is said. @throws {OptionError} */
export function peerList(options: RawOptions): readonly string[] {
  if (options['peers'] === undefined) return PEER_NAMES
  const names = text(options, 'peers').split(',')
  if (names.length === 1 && names[0] === 'none') return []
  const unknown = names.find((name) => !PEER_NAMES.includes(name))
  if (unknown === undefined) return names
  throw new OptionError('The option --peers has a wrong value', {
    given: unknown,
    allowed: `${PEER_NAMES.join(', ')}, or none`,
  })
}
