/**
 * The test page's files, and the client library that it is built on. They lie in `static/` beside
 * this module, in src/ and in dist/ alike; the library is built to dist/.
 */
import { loadFiles, type PageFile } from './static-files.ts';

export { PAGE_HEADERS } from './static-files.ts';

const loaded = loadFiles(new URL('./static/', import.meta.url), {
  '/': 'index.html',
  '/client.js': '../../../dist/client/client.js',
  '/page.js': 'page.js',
  '/events.js': 'events.js',
  '/chart.js': 'chart.js',
  '/json.js': 'json.js',
  '/many.js': 'many.js',
  '/base.css': 'base.css',
  '/page.css': 'page.css',
});

/** The file at this path of the public port, or undefined. */
export function pageFile(path: string): PageFile | undefined {
  return loaded.get(path);
}
