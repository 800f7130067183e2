// Command lines of ours in documents, checked against the built command.

import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { codeBlocks } from './markdown.mjs'
import { root } from './workspace.mjs'

/**
 * The arguments of every `deepgemm …` and `npx @deepgemm/cli …` of a text's shell blocks.
 * @param {string} text
 * @returns {{ line: number, args: string[] }[]}
 */
export function commandsOf(text) {
  return codeBlocks(text)
    .filter(({ language }) => language === 'sh')
    .flatMap(({ code, line }) =>
      code.split('\n').flatMap((shell, index) => {
        const [, rest] = /^(?:deepgemm|npx @deepgemm\/cli)\s+([^#]+)/.exec(shell) ?? []
        return rest === undefined ? [] : [{ line: line + index, args: rest.trim().split(/\s+/) }]
      }),
    )
}

/** Why the command would not take these arguments; undefined when it would. */
function refusal(program, joinCommand, args) {
  try {
    const names = program.commands.map(({ name }) => name)
    program.parse(['node', 'deepgemm', ...joinCommand(args, names)], { run: false })
    if (program.matchedCommand === undefined) return 'no such command'
    program.matchedCommand.checkUnknownOptions()
    program.matchedCommand.checkRequiredArgs()
    return undefined
  } catch (error) {
    return error.message
  }
}

/**
 * @param {{ readme: string, text: string }[]} texts
 * @returns {Promise<string[]>} problems
 */
export async function wrongCommands(texts) {
  const built = join(root, 'tools', 'cli', 'dist')
  if (!existsSync(built)) return ['tools/cli is not built: npx turbo run build']
  const load = (file) => import(pathToFileURL(join(built, file)).href)
  const { program } = await load('program.js')
  const { joinCommand } = await load('program/command-groups.js')
  return texts.flatMap(({ readme, text }) =>
    commandsOf(text).flatMap(({ line, args }) => {
      const problem = refusal(
        program('0', () => undefined),
        joinCommand,
        args,
      )
      return problem ? [`${readme}:${line} deepgemm ${args.join(' ')}: ${problem}`] : []
    }),
  )
}
