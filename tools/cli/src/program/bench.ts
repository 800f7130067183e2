import type { CAC } from 'cac'
import { benchCommand } from '../commands/bench.js'
import { benchCompareCommand, benchReportCommand } from '../commands/bench-files.js'
import type { RawOptions } from '../options.js'
import type { On } from './terminal-factory.js'

/** `deepgemm bench …`: speed and accuracy beside the machine's limits and other libraries. */
export function benchCommands(cli: CAC, on: On): void {
  cli
    .command('bench [model]', 'Measure beside the limits of this machine and other libraries')
    .option('--m <list>', 'Rows of A, as in 1,64,512 (default: few and many)')
    .option('--n <columns>', 'Rows of B: one weight instead of those of a model')
    .option('--k <depth>', 'Columns of A and B')
    .option('--experts <count>', 'Experts of a grouped product at most', { default: 8 })
    .option('--rounds <count>', 'Samples of every contestant; the median counts', { default: 9 })
    .option('--peers <list>', 'Other libraries, or none (default: all that are installed)')
    .option('--python <file>', 'The Python that has PyTorch and others, for a GPU')
    .option('--out <file>', 'Write the figures (JSON)')
    .option('--report <file>', 'Write a page with pictures (HTML)')
    .option('--fresh', 'Drop what an interrupted run has measured')
    .option('--device <kind>', 'cpu, cuda or auto', { default: 'auto' })
    .option('--threads <count>', 'Threads of the CPU device')
    .action((model: string | undefined, options: RawOptions) =>
      benchCommand(on(options), model, options),
    )
  cli
    .command(
      'bench compare <before> <after>',
      'Tell what changed between two results, and the noise',
    )
    .action((before: string, after: string, options: RawOptions) =>
      benchCompareCommand(on(options), before, after),
    )
  cli
    .command('bench report <result>', 'Draw the page of a result that was kept')
    .option('--report <file>', 'Where to write the page (HTML)')
    .action((file: string, options: RawOptions) => benchReportCommand(on(options), file, options))
}
