import type { CAC } from 'cac'
import {
  cacheExportCommand,
  cacheImportCommand,
  cacheListCommand,
  cachePathCommand,
  cachePruneCommand,
  cacheVerifyCommand,
} from '../commands/cache.js'
import { cacheWarmCommand } from '../commands/cache-warm.js'
import type { RawOptions } from '../options.js'
import type { On } from './terminal-factory.js'

/** `deepgemm cache …`: the compiled kernels on disk. */
export function cacheCommands(cli: CAC, on: On): void {
  cli
    .command('cache ls', 'List the compiled kernels on this machine')
    .action((options: RawOptions) => cacheListCommand(on(options)))
  cli
    .command('cache path', 'Print the folders that kernels are kept in')
    .action((options: RawOptions) => cachePathCommand(on(options)))
  cli
    .command('cache warm <model>', 'Compile all that a checkpoint or a named model needs on a GPU')
    .option('--max-tokens <count>', 'Most rows of a product: m.max of the plans', { default: 4096 })
    .option('--outs <list>', 'Outputs of products: bf16, f32 or both', { default: 'bf16' })
    .option('--layouts <list>', 'Of stacks of experts: contiguous, packed, masked', {
      default: 'contiguous',
    })
    .option('--multiprocessors <count>', 'Of the GPU to compile for (default: this one, else 132)')
    .option('--jobs <count>', 'Kernels compiled at a time (default: one per processor)')
    .option('--dry-run', 'Say what would be compiled, and why')
    .action((model: string, options: RawOptions) => cacheWarmCommand(on(options), model, options))
  cli
    .command('cache verify', 'Read every kernel in full and check it')
    .option('--remove', 'Remove the bad ones')
    .action((options: RawOptions) => cacheVerifyCommand(on(options), options))
  cli
    .command('cache prune', 'Remove leftovers and what was not used for longest')
    .option('--max-mb <size>', 'Megabytes that may stay (default: the bound of the cache)')
    .option('--unused-days <count>', 'Remove what was not used for so long')
    .action((options: RawOptions) => cachePruneCommand(on(options), options))
  cli
    .command(
      'cache export <file>',
      'Write all kernels into one file, for machines without compiler',
    )
    .action((file: string, options: RawOptions) => cacheExportCommand(on(options), file, options))
  cli
    .command('cache import <file>', 'Take the kernels of such a file')
    .action((file: string, options: RawOptions) => cacheImportCommand(on(options), file, options))
}
