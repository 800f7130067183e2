// Writes the API reference of every package, one page per entry.

import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Application, Converter } from 'typedoc'
import ts from 'typescript'
import { entries } from './packages.mjs'

/** What is thrown is all that our throws tags say, and types in braces are not shown: quote them. */
function keepThrows() {
  const read = ts.sys.readFile
  ts.sys.readFile = (path, encoding) =>
    read(path, encoding)?.replaceAll(/@throws \{([^}]*)\}/g, '@throws `$1`')
}

/** Modules are called as they are imported, not as their files are. */
function nameModules(app) {
  app.converter.on(Converter.EVENT_RESOLVE_BEGIN, ({ project }) => {
    for (const module of project.children ?? []) {
      const file = project.files.getReflectionPath(module)
      const entry = entries.find(({ source }) => source === file)
      if (entry !== undefined) module.name = entry.page
    }
  })
}

/** @param {string} out folder to write into */
export async function writeReference(out) {
  keepThrows()
  const app = await Application.bootstrapWithPlugins({
    entryPoints: entries.map(({ source }) => source),
    tsconfig: fileURLToPath(new URL('tsconfig.json', import.meta.url)),
    plugin: ['typedoc-plugin-markdown'],
    outputs: [{ name: 'markdown', path: out }],
    readme: 'none',
    // Shapes in brackets at the beginning of a comment are taken for links, and warned of.
    logLevel: 'Error',
    disableSources: true,
    excludeExternals: true,
    excludePrivate: true,
    validation: { notExported: false, invalidLink: true, notDocumented: false },
    // Options of the markdown plugin.
    outputFileStrategy: 'modules',
    entryFileName: 'index',
    hidePageHeader: true,
    hideBreadcrumbs: true,
    hidePageTitle: true,
    groupOrder: ['Functions', 'Classes', 'Type Aliases', '*'],
    useCodeBlocks: true,
    expandParameters: true,
    parametersFormat: 'table',
    propertyMembersFormat: 'table',
    typeDeclarationFormat: 'table',
  })
  nameModules(app)
  const project = await app.convert()
  if (project === undefined) throw new Error('The sources of the reference do not compile')
  await app.generateOutputs(project)
  if (app.logger.hasErrors()) throw new Error('The reference could not be written')
  for (const { name, page } of entries) finishPage(name, join(out, `${page}.md`))
  writeFileSync(join(out, 'index.md'), overview())
}

/** A line such as `[E, H]: logits` is a shape, not the definition of a link. */
function finishPage(name, file) {
  const text = readFileSync(file, 'utf8').replaceAll(/^\[([^\]\n]+)\]: /gm, '\\[$1\\]: ')
  writeFileSync(file, `# ${name}\n\n${text}`)
}

function overview() {
  const rows = entries.map(({ name, page }) => `- [\`${name}\`](./${page}.md)`)
  return `# API reference\n\nMade from the sources.\n\n${rows.join('\n')}\n`
}
