const MAX_QUOTED = 120

// Control characters and direction overrides: a name from a file must not be able to redraw a terminal.
const UNPRINTABLE = /[\u007f-\u009f\u2028-\u202e\u2066-\u2069]/g

/** Quotes text that came from a file for use in a message: escaped and of bounded length. */
export function quote(text: string): string {
  const cut = text.length > MAX_QUOTED ? `${text.slice(0, MAX_QUOTED)}…` : text
  return JSON.stringify(cut).replace(
    UNPRINTABLE,
    (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}

/** `2x3` style text of a shape; `scalar` for rank 0. */
export function shapeText(shape: readonly number[]): string {
  return `[${shape.join(', ')}]`
}

/** Decodes untrusted bytes; undefined when they are not UTF-8. A byte order mark at the start is dropped. */
export function decodeUtf8(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    return undefined
  }
}
