import { type CAC, cac } from 'cac'
import { demoCommand } from './commands/demo.js'
import { dequantizeCommand } from './commands/dequantize.js'
import { doctorCommand } from './commands/doctor.js'
import { gemmCommand } from './commands/gemm.js'
import { generateCommand } from './commands/generate.js'
import { inspectCommand } from './commands/inspect.js'
import { quantizeCommand } from './commands/quantize.js'
import { verifyCommand } from './commands/verify.js'
import type { RawOptions } from './options.js'
import type { Terminal } from './output/terminal.js'
import { benchCommands } from './program/bench.js'
import { cacheCommands } from './program/cache.js'
import type { On, TerminalFactory } from './program/terminal-factory.js'

/** The command line: every command with its options. Actions resolve to exit codes. */
export function program(version: string, terminal: TerminalFactory): CAC {
  const cli = cac('deepgemm')
  const on = (options: RawOptions): Terminal => terminal(options['json'] === true)
  cli.option('--json', 'Print the result as JSON')
  cli.option('--debug', 'Show the stack of an error')
  checkpointCommands(cli, on)
  modelCommands(cli, on)
  machineCommands(cli, on)
  benchCommands(cli, on)
  cacheCommands(cli, on)
  cli.help()
  cli.version(version)
  return cli
}

function checkpointCommands(cli: CAC, on: On): void {
  cli
    .command('quantize <folder>', 'Turn a bf16, f16 or f32 checkpoint into FP8')
    .option('-o, --output <folder>', 'Where to write the FP8 checkpoint')
    .option('--scale-dtype <dtype>', 'f32 or ue8m0 (powers of two)', { default: 'f32' })
    .option('--include <pattern>', 'Quantise tensors that are kept by default; may be repeated')
    .option('--exclude <pattern>', 'Keep tensors as they are; may be repeated')
    .option('--max-shard-mb <size>', 'Largest file, in megabytes')
    .option('--overwrite', 'Replace a checkpoint in the output folder')
    .option('--device <kind>', 'cpu, cuda or auto', { default: 'auto' })
    .option('--threads <count>', 'Threads of the CPU device')
    .action((folder: string, options: RawOptions) => quantizeCommand(on(options), folder, options))
  cli
    .command('dequantize <folder>', 'Turn an FP8 checkpoint back into floats')
    .option('-o, --output <folder>', 'Where to write the checkpoint')
    .option('--dtype <dtype>', 'bf16, f16 or f32', { default: 'bf16' })
    .option('--overwrite', 'Replace a checkpoint in the output folder')
    .action((folder: string, options: RawOptions) =>
      dequantizeCommand(on(options), folder, options),
    )
  cli
    .command('inspect <folder>', 'Show formats, scales and outliers of a checkpoint')
    .option('--report <file>', 'Write a page with pictures (HTML)')
    .option('--include <pattern>', 'Read only these tensors; may be repeated')
    .option('--headers', 'Read no weights, only what they are')
    .option('--top <count>', 'Tensors to list, those with the largest outliers', { default: 40 })
    .action((folder: string, options: RawOptions) => inspectCommand(on(options), folder, options))
  cli
    .command('verify <folder> <original>', 'Compare a checkpoint with its original, layer by layer')
    .option('--max-error <value>', 'Largest error a layer may have (default 2e-3)')
    .action((folder: string, original: string, options: RawOptions) =>
      verifyCommand(on(options), folder, original, options),
    )
}

function modelCommands(cli: CAC, on: On): void {
  cli
    .command('generate <folder>', 'Let a model continue a text')
    .option('-p, --prompt <text>', 'The beginning of the text')
    .option('--max-tokens <count>', 'Tokens to add', { default: 100 })
    .option('--temperature <value>', '0 takes the likeliest token', { default: 0.8 })
    .option('--seed <number>', 'Same seed, same text', { default: 1 })
    .option('--engine <name>', 'fp8, or reference: f32 without the library', { default: 'fp8' })
    .option('--device <kind>', 'cpu, cuda or auto', { default: 'auto' })
    .option('--threads <count>', 'Threads of the CPU device')
    .action((folder: string, options: RawOptions) => generateCommand(on(options), folder, options))
  cli
    .command('demo <folder>', 'Quantise a model, check it, measure it and let it write')
    .option('--tokens <count>', 'Held-out tokens for the perplexity', { default: 4096 })
    .option('-p, --prompt <text>', 'The beginning of the text')
    .option('--seed <number>', 'Same seed, same text', { default: 1 })
    .option('--device <kind>', 'cpu, cuda or auto', { default: 'auto' })
    .option('--threads <count>', 'Threads of the CPU device')
    .action((folder: string, options: RawOptions) => demoCommand(on(options), folder, options))
}

function machineCommands(cli: CAC, on: On): void {
  cli
    .command('gemm', 'Check and time one matrix product')
    .option('--m <rows>', 'Rows of A and D')
    .option('--n <columns>', 'Rows of B, columns of D')
    .option('--k <depth>', 'Columns of A and B')
    .option('--out <dtype>', 'bf16 or f32', { default: 'bf16' })
    .option('--repeats <count>', 'Timed runs; the median counts', { default: 11 })
    .option('--device <kind>', 'cpu, cuda or auto', { default: 'auto' })
    .option('--threads <count>', 'Threads of the CPU device')
    .action((options: RawOptions) => gemmCommand(on(options), options))
  cli
    .command('doctor', 'Tell what this machine can do and what stands in the way')
    .action((options: RawOptions) => doctorCommand(on(options)))
}
