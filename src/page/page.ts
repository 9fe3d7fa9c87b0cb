/**
 * Files of the test page, and the client library that it uses. They are in `static/` next to this
 * module, in src/ and in dist/; the library is built to dist/.
 */
import { loadFiles, PAGE_HEADERS, type PageFile } from './static-files.ts';

type Headers = Readonly<Record<string, string>>;

const loaded = loadFiles(new URL('./static/', import.meta.url), {
  '/': 'index.html',
  '/client.js': '../../../dist/client/client.js',
  '/page.js': 'page.js',
  '/key.js': 'key.js',
  '/gateway.js': 'gateway.js',
  '/stream-choice.js': 'stream-choice.js',
  '/template.js': 'template.js',
  '/trouble.js': 'trouble.js',
  '/events.js': 'events.js',
  '/chart.js': 'chart.js',
  '/json.js': 'json.js',
  '/many.js': 'many.js',
  '/own.js': 'own.js',
  '/post.js': 'post.js',
  '/request.js': 'request.js',
  '/record.js': 'record.js',
  '/nodes.js': 'nodes.js',
  '/trial.js': 'trial.js',
  '/verdicts.js': 'verdicts.js',
  '/event-json.js': 'event-json.js',
  '/base.css': 'base.css',
  '/page.css': 'page.css',
});

const OF_PAGE = Object.fromEntries(PAGE_HEADERS);
/** Pages of any origin may load the library; their origin is checked when they send. */
const OF_LIBRARY = { ...OF_PAGE, 'Access-Control-Allow-Origin': '*' };

/** Returns the file at this path of the public port with its headers, or undefined. */
export function pageFile(path: string): (PageFile & { headers: Headers }) | undefined {
  const file = loaded.get(path);
  return file && { ...file, headers: path === '/client.js' ? OF_LIBRARY : OF_PAGE };
}
