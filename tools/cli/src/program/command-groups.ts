import { OptionError } from 'deepgemm'

/**
 * The parser knows commands of one word: the two of `cache ls` become one.
 *
 * @throws {OptionError} for a group without a command of it
 */
export function joinCommand(args: readonly string[], names: readonly string[]): readonly string[] {
  const [group, action, ...rest] = args
  const members = names.filter((name) => name.startsWith(`${group} `))
  if (group === undefined || members.length === 0) return args
  const command = `${group} ${action}`
  if (members.includes(command)) return [command, ...rest]
  if (names.includes(group)) return args // a command of its own beside those of its group
  throw new OptionError(`The command ${group} has no such action`, {
    given: action ?? 'none',
    allowed: members.map((name) => name.slice(group.length + 1)).join(', '),
    remedy: `deepgemm ${members[0]} --help explains the first of them.`,
  })
}
