import { OptionError } from 'deepgemm'
import { describeDevice, openDevice } from '../device.js'
import { type GemmTrial, tryGemm } from '../gemm-trial.js'
import { choice, type RawOptions, wholeNumber } from '../options.js'
import { formatError } from '../output/format.js'
import { say, sayJson, type Terminal } from '../output/terminal.js'

const MAX_EXTENT = 1 << 20

/** Most elements of an operand or of the product: 4 GiB of f32 each while they are made. */
const MAX_ELEMENTS = 2 ** 30

/** `deepgemm gemm --m --n --k`: exit code 1 when the product is wrong. */
export async function gemmCommand(terminal: Terminal, options: RawOptions): Promise<number> {
  const [m, n, k] = (['m', 'n', 'k'] as const).map((name) =>
    wholeNumber(options, name, { min: 1, max: MAX_EXTENT }),
  ) as [number, number, number]
  requireSize(m * k, `${m} x ${k} of A`)
  requireSize(n * k, `${n} x ${k} of B`)
  requireSize(m * n, `${m} x ${n} of D`)
  const out = choice(options, 'out', ['bf16', 'f32'], 'bf16')
  const repeats = wholeNumber(options, 'repeats', { fallback: 11, min: 1, max: 10_000 })
  await using device = await openDevice(options)
  const trial = await tryGemm(device, { m, n, k, out, repeats })
  report(terminal, describeDevice(device), trial)
  sayJson(terminal, { device: describeDevice(device), out, repeats, ...trial })
  return trial.passed ? 0 : 1
}

/** @throws {OptionError} */
function requireSize(elements: number, given: string): void {
  if (elements <= MAX_ELEMENTS) return
  throw new OptionError('The product is too large to be tried here', {
    given,
    allowed: `at most ${MAX_ELEMENTS} elements in each matrix`,
    remedy: 'Choose smaller --m, --n or --k.',
  })
}

function report(terminal: Terminal, device: string, trial: GemmTrial): void {
  const { m, n, k, seconds, gflops, maxError, errorBound, checked, passed } = trial
  say(terminal, `D [${m}, ${n}] = A [${m}, ${k}] x B [${n}, ${k}] transposed, on ${device}`)
  say(terminal, `${(seconds * 1e6).toFixed(1)} us, ${gflops.toFixed(1)} GFLOP/s`)
  say(
    terminal,
    `${checked} elements against float64: largest error ${formatError(maxError)}, ` +
      `explained by rounding up to ${formatError(errorBound)}: ${passed ? 'correct' : 'WRONG'}`,
  )
}
