import { generate, sampler } from '@deepgemm/tiny-moe'
import { openModel } from '../model.js'
import { choice, number, type RawOptions, text, wholeNumber } from '../options.js'
import { say, sayJson, type Terminal } from '../output/terminal.js'

export type Generation = {
  readonly prompt: string
  readonly text: string
  readonly tokens: number
  readonly tokensPerSecond: number
  readonly engine: string
}

/** `deepgemm generate <folder> --prompt <text>` */
export async function generateCommand(
  terminal: Terminal,
  folder: string,
  options: RawOptions,
): Promise<number> {
  const generation = await generateText(terminal, folder, options)
  sayJson(terminal, generation)
  return 0
}

/** Continues a prompt, writing as it goes. */
export async function generateText(
  terminal: Terminal,
  folder: string,
  options: RawOptions,
): Promise<Generation> {
  const prompt = text(options, 'prompt')
  const maxTokens = wholeNumber(options, 'maxTokens', { fallback: 100, min: 1, max: 1 << 20 })
  const temperature = number(options, 'temperature', { fallback: 0.8, min: 0, max: 10 })
  const seed = wholeNumber(options, 'seed', { fallback: 1, min: 0, max: 2 ** 32 - 1 })
  const engine = choice(options, 'engine', ['fp8', 'reference'], 'fp8')
  await using opened = await openModel(folder, engine, options)
  const write = (part: string): void => {
    if (!terminal.json) terminal.stdout.write(part)
  }
  write(prompt)
  const start = performance.now()
  let [made, tokens] = ['', 0]
  const run = { prompt, maxTokens, sample: sampler(temperature, seed), signal: terminal.signal }
  for await (const part of generate(opened.model, opened.tokenizer, run)) {
    write(part)
    made += part
    tokens++
  }
  const tokensPerSecond = tokens / ((performance.now() - start) / 1000)
  say(terminal)
  if (terminal.interactive) terminal.stderr.write(`${tokensPerSecond.toFixed(1)} tokens/s\n`)
  return { prompt, text: made, tokens, tokensPerSecond, engine: opened.engine.name }
}
