/** Files of the live view. Loaded on the first request: earlier, it would delay the start. */
import { loadFiles, type PageFile } from '../../page/static-files.ts';

const loaded = loadFiles(new URL('./static/', import.meta.url), {
  '/': 'index.html',
  '/view.js': 'view.js',
  '/stream.js': 'stream.js',
  '/past.js': 'past.js',
  '/chart.js': 'chart.js',
  '/charts.js': 'charts.js',
  '/tables.js': 'tables.js',
  '/texts.js': 'texts.js',
  '/nodes.js': '../../../page/static/nodes.js',
  '/violations.js': 'violations.js',
  '/base.css': '../../../page/static/base.css',
  '/view.css': 'view.css',
  // docs/operations.md, built into dist/: available without the repository and the web.
  '/runbook': '../../../../dist/runbook.html',
});

/** Returns the file at this path of the admin port, or undefined. */
export function viewFile(path: string): PageFile | undefined {
  return loaded.get(path);
}
