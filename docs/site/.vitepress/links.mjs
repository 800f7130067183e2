// Pages are read in the repository too, where links to its other files lead somewhere. On the site
// such a link is plain text. A report that is a page of its own is followed as the browser does it.

/** Leads out of the pages: to a folder above them, or to a file that is no page. */
function leavesPages(href) {
  if (/^(https?:|#|\/)/.test(href)) return false
  return (
    /(^|\/)\.\.\/(packages|tools|kernels|scripts|[A-Z]+\.md)/.test(href) ||
    /\.jsonl?(#|$)/.test(href)
  )
}

/** @param {import('vitepress').MarkdownRenderer} md */
export function keepInside(md) {
  md.core.ruler.push('keep-inside', ({ tokens }) => {
    for (const { children } of tokens) {
      for (const token of children ?? []) leaveReports(token)
      dropLinks(children ?? [])
    }
  })
}

function leaveReports(token) {
  const href = token.type === 'link_open' ? token.attrGet('href') : undefined
  if (/^[^:]+\.html$/.test(href ?? '')) token.attrSet('target', '_self')
}

function dropLinks(tokens) {
  let isDropped = false
  for (const token of tokens) {
    if (token.type === 'link_open') isDropped = leavesPages(token.attrGet('href') ?? '')
    if (!isDropped || !token.type.startsWith('link_')) continue
    if (token.type === 'link_close') isDropped = false
    token.tag = 'span'
    token.attrs = null
  }
}
