/** What one source line says to the assembler. */
export type SourceLine =
  | { readonly kind: 'text' }
  | { readonly kind: 'pragma-once' }
  | { readonly kind: 'conditional'; readonly change: 1 | -1 }
  | { readonly kind: 'include'; readonly path: string }
  | { readonly kind: 'system-include'; readonly path: string }
  | { readonly kind: 'odd-include' }

const directive = /^\s*#\s*([a-z]+)\b(.*)$/
const quoted = /^\s*"([^"]*)"\s*(?:\/\/.*|\/\*[^*]*\*\/\s*)?$/
const angled = /^\s*<([^>]*)>/

/**
 * Classifies every line of a C++ source, blind to directives inside block comments and raw strings.
 * It is no preprocessor: it knows just enough to find the includes.
 */
export function scanLines(lines: readonly string[]): readonly SourceLine[] {
  let inside: Enclosure
  return lines.map((line) => {
    const kind = inside === undefined ? classify(line) : ({ kind: 'text' } as const)
    inside = enclosureAfter(line, inside)
    return kind
  })
}

function classify(line: string): SourceLine {
  const match = directive.exec(line)
  if (match === null) return { kind: 'text' }
  const rest = match[2] ?? ''
  switch (match[1]) {
    case 'include':
      return classifyInclude(rest)
    case 'pragma':
      return rest.trim() === 'once' ? { kind: 'pragma-once' } : { kind: 'text' }
    case 'if':
    case 'ifdef':
    case 'ifndef':
      return { kind: 'conditional', change: 1 }
    case 'endif':
      return { kind: 'conditional', change: -1 }
    default:
      return { kind: 'text' }
  }
}

function classifyInclude(rest: string): SourceLine {
  const own = quoted.exec(rest)
  if (own !== null) return { kind: 'include', path: own[1] ?? '' }
  const system = angled.exec(rest)
  if (system !== null) return { kind: 'system-include', path: system[1] ?? '' }
  return { kind: 'odd-include' }
}

/** The text that ends the comment or raw string a line ends in; undefined outside both. */
type Enclosure = string | undefined

// A literal or a comment, whichever begins first; what lies inside one cannot begin another.
const opener = /"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|\/\/.*|\/\*|R"([^()\\\s]{0,16})\(/g

function enclosureAfter(line: string, before: Enclosure): Enclosure {
  let inside = before
  let at = 0
  for (;;) {
    if (inside !== undefined) {
      const end = line.indexOf(inside, at)
      if (end < 0) return inside
      at = end + inside.length
      inside = undefined
    }
    opener.lastIndex = at
    const match = opener.exec(line)
    if (match === null) return undefined
    at = opener.lastIndex
    if (match[0] === '/*') inside = '*/'
    else if (match[0].startsWith('R"')) inside = `)${match[1] ?? ''}"`
  }
}
