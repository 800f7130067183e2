import { defineConfig } from 'vitepress'
import { entries } from '../packages.mjs'
import { keepInside } from './links.mjs'

const guides = [
  { text: 'Serve a checkpoint', link: '/guides/serve-a-checkpoint' },
  { text: 'Train with gradients', link: '/guides/train-with-gradients' },
  { text: 'Capture a graph', link: '/guides/capture-a-graph' },
  { text: 'Deploy without a compiler', link: '/guides/deploy-without-a-compiler' },
  { text: 'Benchmark a machine', link: '/guides/benchmark' },
  { text: 'Write a kernel', link: '/guides/write-a-kernel' },
  { text: 'The command line', link: '/guides/command-line' },
]

const concepts = [
  { text: 'Which device', link: '/concepts/devices' },
  { text: 'Scales and recipes', link: '/concepts/scales' },
  { text: 'Two-level accumulation', link: '/concepts/accumulation' },
  { text: 'Grouped layouts', link: '/concepts/layouts' },
  { text: 'The Hopper kernel', link: '/concepts/pipeline' },
]

const house = [
  { text: 'Architecture', link: '/architecture' },
  { text: 'Performance', link: '/performance' },
  { text: 'Results', link: '/results' },
  { text: 'Notes on the Hopper kernels', link: '/gpu-notes' },
  { text: 'Reliability', link: '/reliability' },
  { text: 'Security', link: '/security' },
]

export default defineConfig({
  title: 'DeepGEMM for Node',
  description: 'FP8 matrix products with fine-grained scaling for Node.js',
  srcDir: './pages', // made by build.mjs
  outDir: './dist',
  cacheDir: './.cache',
  lastUpdated: false,
  markdown: { config: keepInside },
  themeConfig: {
    search: { provider: 'local' },
    outline: [2, 3],
    nav: [
      { text: 'Start', link: '/start' },
      { text: 'Guides', link: '/guides/serve-a-checkpoint' },
      { text: 'API', link: '/api/' },
      { text: 'Performance', link: '/performance' },
    ],
    sidebar: [
      { text: 'Start in five minutes', link: '/start' },
      { text: 'Concepts', items: concepts },
      { text: 'Guides', items: guides },
      { text: 'The house', items: house },
      {
        text: 'API reference',
        collapsed: true,
        items: entries.map(({ name, page }) => ({ text: name, link: `/api/${page}` })),
      },
    ],
  },
})
