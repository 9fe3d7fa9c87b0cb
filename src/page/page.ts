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

const FILES = {
  '/': ['index.html', 'text/html; charset=utf-8'],
  '/client.js': ['../../../dist/client/client.js', 'text/javascript; charset=utf-8'],
  '/page.js': ['page.js', 'text/javascript; charset=utf-8'],
  '/key.js': ['key.js', 'text/javascript; charset=utf-8'],
  '/events.js': ['events.js', 'text/javascript; charset=utf-8'],
  '/chart.js': ['chart.js', 'text/javascript; charset=utf-8'],
  '/json.js': ['json.js', 'text/javascript; charset=utf-8'],
  '/many.js': ['many.js', 'text/javascript; charset=utf-8'],
  '/page.css': ['page.css', 'text/css; charset=utf-8'],
} as const;

/** Headers of every answer with a file of the page. */
export const PAGE_HEADERS: readonly (readonly [name: string, value: string])[] = [
  [
    'Content-Security-Policy',
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; " +
      "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  ],
  ['Referrer-Policy', 'no-referrer'],
  ['Cache-Control', 'no-cache'],
];

const OF_PAGE = Object.fromEntries(PAGE_HEADERS);
/** Pages of any origin load the library; whether they may send is asked when they do. */
const OF_LIBRARY = { ...OF_PAGE, 'Access-Control-Allow-Origin': '*' };

const loaded: ReadonlyMap<string, PageFile> = new Map(
  Object.entries(FILES).map(([path, [name, type]]) => {
    const body = readFileSync(new URL(`./static/${name}`, import.meta.url));
    return [path, { body, type, headers: path === '/client.js' ? OF_LIBRARY : OF_PAGE }];
  }),
);

/** The file at this path of the public port, or undefined. */
export function pageFile(path: string): PageFile | undefined {
  return loaded.get(path);
}
