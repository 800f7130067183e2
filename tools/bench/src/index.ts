// What `deepgemm bench` stands on.

export type { AccuracyPoint, Bar, ChartData, RooflinePoint, Series } from './html/chart-data.js'
export { resultHtml } from './html/page.js'
export { type Cell, type Cells, productCells } from './html/tables.js'
export { timesText, timeText } from './html/text.js'
export { reportText, requireWritable } from './output/write-report.js'
export type { SuiteBench } from './suite/bench.js'
export {
  type ComparedRow,
  type Comparison,
  compareResults,
  type Drift,
  type Verdict,
} from './suite/compare.js'
export {
  ENOUGH_SAMPLES,
  type Interval,
  medianInterval,
  noiseText,
  ratioInterval,
  relativeNoise,
} from './suite/noise.js'
export { type BenchRequest, openBench, PEER_NAMES } from './suite/open.js'
export { caseFlops, caseText, type ProblemSet, type SuiteCase } from './suite/problem.js'
export { parseResult } from './suite/read-result.js'
export * from './suite/result.js'
export { wrongProducts } from './suite/right.js'
export { runSuite, type SuiteRun, type SuiteWatcher } from './suite/run.js'
