// No cycle of imports among the files of a package. Type-only imports vanish and do not count.

import { dirname, join, relative } from 'node:path'
import { importsOf, sourcesIn } from '../lib/imports.mjs'
import { packages, root } from '../lib/workspace.mjs'

export const title = 'no import cycles'

/** File -> files it imports at run time. */
function graphOf(folder) {
  const graph = new Map()
  for (const { file, text } of sourcesIn(folder)) {
    const targets = importsOf(file, text)
      .filter(({ specifier, erased }) => specifier.startsWith('.') && !erased)
      .map(({ specifier }) => join(dirname(file), specifier.replace(/\.js$/, '.ts')))
    graph.set(file, targets)
  }
  return graph
}

/**
 * Depth-first search; every back edge closes one cycle.
 * @param {Map<string, string[]>} graph
 * @returns {string[][]}
 */
function findCycles(graph) {
  const cycles = []
  const done = new Set()
  const visit = (node, path) => {
    const start = path.indexOf(node)
    if (start >= 0) {
      cycles.push([...path.slice(start), node])
      return
    }
    if (done.has(node)) return
    for (const next of graph.get(node) ?? []) visit(next, [...path, node])
    done.add(node)
  }
  for (const node of graph.keys()) visit(node, [])
  return cycles
}

/** @param {string} [from] */
export async function check(from = root) {
  const problems = packages(from).flatMap((item) =>
    findCycles(graphOf(join(item.dir, 'src'))).map((cycle) =>
      cycle.map((file) => relative(from, file)).join(' -> '),
    ),
  )
  return { problems }
}
