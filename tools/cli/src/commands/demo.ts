import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Perplexity, perplexity } from '@deepgemm/tiny-moe'
import { CheckpointError } from 'deepgemm'
import { describeDevice, openDevice } from '../device.js'
import { openModel } from '../model.js'
import { type RawOptions, text, wholeNumber } from '../options.js'
import { formatBytes, formatError } from '../output/format.js'
import { startProgress } from '../output/progress.js'
import { printTable } from '../output/table.js'
import { say, sayJson, type Terminal } from '../output/terminal.js'
import { generateText } from './generate.js'
import { quantizeFolder } from './quantize.js'
import { isWithin, MAX_ERROR, verifyFolders } from './verify.js'

/** Tokens of held-out text that both models are measured on. */
const TOKENS = 4096

/** Tokens per window, as the model was trained. */
const WINDOW = 256

const PROMPT = 'The captain looked out over the sea, and'

/** `deepgemm demo [folder]`: a model into FP8, checked, compared and put to work. */
export async function demoCommand(
  terminal: Terminal,
  folder: string,
  options: RawOptions,
): Promise<number> {
  const tokens = wholeNumber(options, 'tokens', { fallback: TOKENS, min: 2, max: 1 << 30 })
  const prompt = text(options, 'prompt', PROMPT)
  const scratch = await mkdtemp(join(tmpdir(), 'deepgemm-demo-'))
  try {
    const output = join(scratch, 'fp8')
    heading(terminal, 1, 'Quantise the bf16 model to FP8')
    const sizes = await quantizeFolder(terminal, folder, {
      output,
      device: options['device'],
      threads: options['threads'],
    })
    heading(terminal, 2, 'Verify every layer against the original')
    const verified = await verifyFolders(terminal, output, folder)
    heading(terminal, 3, 'Perplexity on text the model has not seen')
    const before = await measure(terminal, folder, 'reference', tokens, options)
    const after = await measure(terminal, output, 'fp8', tokens, options)
    heading(terminal, 4, 'Generate text, every matrix product in FP8')
    const generation = await generateText(terminal, output, { ...options, prompt, maxTokens: 80 })
    const change = after.perplexity / before.perplexity - 1
    await using device = await openDevice(options)
    const summary = {
      bytesBefore: sizes.bytesBefore,
      bytesAfter: sizes.bytesAfter,
      worstLayer: verified.worst,
      perplexityBefore: before.perplexity,
      perplexityAfter: after.perplexity,
      perplexityChange: change,
      tokensPerSecond: generation.tokensPerSecond,
      device: describeDevice(device),
    }
    printSummary(terminal, summary)
    sayJson(terminal, { ...summary, text: generation.text })
    return isWithin(verified, MAX_ERROR) ? 0 : 1
  } finally {
    await rm(scratch, { recursive: true, force: true })
  }
}

function heading(terminal: Terminal, step: number, title: string): void {
  say(terminal)
  say(terminal, terminal.colors.bold(`${step}. ${title}`))
}

async function measure(
  terminal: Terminal,
  folder: string,
  engine: 'fp8' | 'reference',
  count: number,
  options: RawOptions,
): Promise<Perplexity> {
  await using opened = await openModel(folder, engine, options)
  const ids = opened.tokenizer.encode(await heldOutText(folder)).slice(0, count)
  const progress = startProgress(terminal, `Perplexity, ${opened.engine.name}`, ids.length)
  try {
    const result = await perplexity(opened.model, ids, {
      window: WINDOW,
      advance: (done) => {
        terminal.signal.throwIfAborted()
        progress.advance(done)
      },
    })
    progress.finish(`Perplexity, ${opened.engine.name}: ${result.perplexity.toFixed(3)}`)
    return result
  } catch (error) {
    progress.fail()
    throw error
  }
}

async function heldOutText(folder: string): Promise<string> {
  try {
    return await readFile(join(folder, 'held-out.txt'), 'utf8')
  } catch (cause) {
    throw new CheckpointError('The model has no held-out text to be measured on', {
      given: join(folder, 'held-out.txt'),
      remedy: 'Put a text the model was not trained on there.',
      cause,
    })
  }
}

type Summary = {
  readonly bytesBefore: number
  readonly bytesAfter: number
  readonly worstLayer: { readonly name: string; readonly error: number } | undefined
  readonly perplexityBefore: number
  readonly perplexityAfter: number
  readonly perplexityChange: number
  readonly tokensPerSecond: number
  readonly device: string
}

function printSummary(terminal: Terminal, summary: Summary): void {
  const { bytesBefore, bytesAfter, worstLayer } = summary
  const saved = 100 * (1 - bytesAfter / bytesBefore)
  const change = 100 * summary.perplexityChange
  heading(terminal, 5, 'Summary')
  printTable(
    terminal,
    [{ name: 'what' }, { name: 'value' }],
    [
      [
        'size',
        `${formatBytes(bytesBefore)} -> ${formatBytes(bytesAfter)} (${saved.toFixed(1)} % saved)`,
      ],
      ['worst layer', `${formatError(worstLayer?.error ?? 0)} (${worstLayer?.name ?? 'none'})`],
      [
        'perplexity',
        `${summary.perplexityBefore.toFixed(3)} -> ${summary.perplexityAfter.toFixed(3)} (${change >= 0 ? '+' : ''}${change.toFixed(2)} %)`,
      ],
      ['generation', `${summary.tokensPerSecond.toFixed(1)} tokens/s`],
      ['device', summary.device],
    ],
  )
}
