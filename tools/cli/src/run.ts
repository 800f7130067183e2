import { OptionError } from 'deepgemm'
import { errorSentence, exitCodeOf } from './errors.js'
import { joinCommand } from './program/command-groups.js'
import type { TerminalFactory } from './program/terminal-factory.js'
import { program } from './program.js'
import { usageError } from './usage-error.js'

/** Exit code of a process that Ctrl-C ended. */
const INTERRUPTED = 130

/** Runs a command line to its exit code. Errors become one sentence on stderr. */
export async function run(
  args: readonly string[],
  version: string,
  terminal: TerminalFactory,
): Promise<number> {
  const { stderr, signal } = terminal(false)
  const cli = program(version, terminal)
  try {
    requireNoEmpty(args)
    const names = cli.commands.map(({ name }) => name)
    cli.parse(['node', 'deepgemm', ...joinCommand(args, names)], { run: false })
    if (cli.options['help'] === true || cli.options['version'] === true) return 0
    if (cli.matchedCommand === undefined) {
      if (args.length > 0) throw unknownCommand(args[0] as string, names)
      cli.outputHelp()
      return 2
    }
    return await cli.runMatchedCommand()
  } catch (error) {
    if (signal.aborted) return INTERRUPTED
    stderr.write(`deepgemm: ${errorSentence(usageError(cli, error))}\n`)
    if (args.includes('--debug')) stderr.write(`${(error as Error).stack}\n`)
    return exitCodeOf(error)
  }
}

/** An empty argument is a variable of a script that was not set. */
function requireNoEmpty(args: readonly string[]): void {
  const at = args.indexOf('')
  if (at < 0) return
  throw new OptionError('An argument is empty', {
    given: at === 0 ? 'an empty command' : `nothing after ${args[at - 1]}`,
    allowed: 'arguments with a value',
  })
}

function unknownCommand(given: string, commands: readonly string[]): OptionError {
  return new OptionError('There is no such command', {
    given,
    allowed: commands.join(', '),
    remedy: 'deepgemm --help explains them.',
  })
}
