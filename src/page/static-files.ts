/** Static files held in memory, and their security headers. */
import { readFileSync } from 'node:fs';
import { extname } from 'node:path';

export interface PageFile {
  readonly body: Buffer;
  readonly type: string;
}

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
};

/** Headers of every response with such a file. */
export const PAGE_HEADERS: readonly (readonly [name: string, value: string])[] = [
  [
    'Content-Security-Policy',
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; " +
      "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  ],
  ['Referrer-Policy', 'no-referrer'],
  ['Cache-Control', 'no-cache'],
];

/**
 * Reads files, keyed by the paths at which they are served.
 * @param folder folder of the files
 * @throws the file system's error if one is missing
 */
export function loadFiles(
  folder: URL,
  files: Readonly<Record<string, string>>,
): ReadonlyMap<string, PageFile> {
  return new Map(
    Object.entries(files).map(([path, name]) => {
      const type = TYPES[extname(name)]!;
      return [path, { body: readFileSync(new URL(name, folder)), type }];
    }),
  );
}
