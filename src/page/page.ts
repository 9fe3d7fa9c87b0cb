/**
 * The test page's files, held in memory, and the client library that it is built on. They lie in
 * `static/` beside this module, in src/ and in dist/ alike; the library is built to dist/.
 */
import { readFileSync } from 'node:fs';

export interface PageFile {
  readonly body: Buffer;
  readonly type: string;
  readonly headers: Readonly<Record<string, string>>;
}

/** The client library, which pages of any origin may load: it is no secret. */
const LIBRARY = '/client.js';

const FILES = {
  '/': ['index.html', 'text/html; charset=utf-8'],
  [LIBRARY]: ['../../../dist/client/client.js', 'text/javascript; charset=utf-8'],
  '/page.js': ['page.js', 'text/javascript; charset=utf-8'],
  '/events.js': ['events.js', 'text/javascript; charset=utf-8'],
  '/chart.js': ['chart.js', 'text/javascript; charset=utf-8'],
  '/json.js': ['json.js', 'text/javascript; charset=utf-8'],
  '/many.js': ['many.js', 'text/javascript; charset=utf-8'],
  '/page.css': ['page.css', 'text/css; charset=utf-8'],
} as const;

const HEADERS = {
  'Content-Security-Policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; " +
    "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  'Referrer-Policy': 'no-referrer',
  'Cache-Control': 'no-cache',
};

const loaded: ReadonlyMap<string, PageFile> = new Map(
  Object.entries(FILES).map(([path, [name, type]]) => {
    const body = readFileSync(new URL(`./static/${name}`, import.meta.url));
    // Browsers load a module script from elsewhere only with that.
    const more = path === LIBRARY && { 'Access-Control-Allow-Origin': '*' };
    return [path, { body, type, headers: { ...HEADERS, ...more } }];
  }),
);

/** The file at this path of the public port, or undefined. */
export function pageFile(path: string): PageFile | undefined {
  return loaded.get(path);
}
