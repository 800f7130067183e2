import type { CAC } from 'cac'
import { OptionError } from 'deepgemm'

/**
 * What the argument parser refuses, with what the command allows instead; every other error as it
 * is.
 */
export function usageError(cli: CAC, error: unknown): unknown {
  if (!(error instanceof Error) || error.name !== 'CACError') return error
  const command = cli.matchedCommand
  const options = [...(command?.options ?? []), ...cli.globalCommand.options]
  const isAboutOptions = error.message.startsWith('Unknown option')
  const subject = error.message.replaceAll('`', '').replace(/^./, (letter) => letter.toUpperCase())
  return new OptionError(subject, {
    allowed: isAboutOptions
      ? options.map(({ rawName }) => rawName).join(', ')
      : `deepgemm ${command?.rawName ?? '<command>'} [options]`,
    remedy: `deepgemm ${command?.name ?? ''} --help explains them.`.replace('  ', ' '),
    cause: error,
  })
}
