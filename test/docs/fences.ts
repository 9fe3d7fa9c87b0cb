/** The fenced blocks of the project's pages. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from '../../deploy/kafka/jars.ts';

export interface Fence {
  /** Page and line of the fence, such as `docs/client.md:27`. */
  readonly at: string;
  readonly page: string;
  /** First word of the info string. */
  readonly language: string;
  /** Second word: a requirement that tests cannot meet. */
  readonly mark: string | undefined;
  readonly text: string;
}

const BLOCK = /^```(\S*)(?: (\S+))?\n([\s\S]*?)^```$/gm;

export function fencesOf(page: string, content: string): Fence[] {
  return [...content.matchAll(BLOCK)].map(({ index, 1: language = '', 2: mark, 3: text = '' }) => {
    const line = content.slice(0, index).split('\n').length;
    return { at: `${page}:${line}`, page, language, mark, text };
  });
}

/** Blocks of README.md and docs/. */
export function allFences(): Fence[] {
  const pages = readdirSync(join(ROOT, 'docs'), { recursive: true, encoding: 'utf8' });
  const documents = pages.filter((name) => name.endsWith('.md')).map((name) => `docs/${name}`);
  return ['README.md', ...documents.sort()].flatMap((page) =>
    fencesOf(page, readFileSync(join(ROOT, page), 'utf8')),
  );
}
