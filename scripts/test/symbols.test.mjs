import { describe, expect, it } from 'vitest'
import { compareVersions, newestVersions, statedVersions } from '../checks/symbols.mjs'

const LISTING = `
0000000000000000      DF *UND*  0000000000000000 (GLIBC_2.2.5) free
0000000000000000      DF *UND*  0000000000000000 (GLIBC_2.14) memcpy
0000000000000000      DF *UND*  0000000000000000 (GLIBC_2.3.4) __sprintf_chk
0000000000000000      DF *UND*  0000000000000000 (GLIBCXX_3.4.22) _ZNSt6thread6_StateD2Ev
`

describe('symbol versions of the addon', () => {
  it('are compared number by number', () => {
    expect([...newestVersions(LISTING)]).toEqual([
      ['GLIBC', '2.14'],
      ['GLIBCXX', '3.4.22'],
    ])
  })

  it('must not be newer than what the README says', () => {
    const needed = newestVersions(LISTING)
    const stated = statedVersions('needs glibc 2.14 or newer, and GLIBCXX_3.4.22 (GCC 7).')
    expect(compareVersions(needed, stated)).toEqual([])
    expect(compareVersions(needed, statedVersions('glibc 2.9, GLIBCXX_3.4.30'))).toEqual([
      'needs GLIBC_2.14, the README says 2.9',
    ])
    expect(compareVersions(needed, statedVersions('glibc 2.28'))).toEqual([
      'the README does not say which GLIBCXX is needed: 3.4.22',
    ])
  })
})
