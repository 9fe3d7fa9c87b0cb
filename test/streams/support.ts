/** Stream files for tests. */
import { parseStreamFile } from '../../src/streams/parse.ts';
import { problemLine } from '../../src/streams/problem.ts';
import type { StreamFileContext } from '../../src/streams/rules.ts';

/** Settings of a gateway with API keys, and schemas that all compile. */
export const CONTEXT: StreamFileContext = {
  keyField: 'user.id',
  idField: 'id',
  authenticates: true,
  origins: undefined,
  maxFrameBytes: 65_536,
  checkSchema: () => ({ text: '{}', warnings: [] }),
};

export const PATH = '/etc/forebay/streams.yaml';

export function parse(text: string | Buffer, context: Partial<StreamFileContext> = {}) {
  return parseStreamFile(Buffer.from(text), PATH, { ...CONTEXT, ...context });
}

/** Errors and warnings without the path of the file: `3:5: message`. */
export function problemsOf(text: string | Buffer, context: Partial<StreamFileContext> = {}) {
  const { errors, warnings } = parse(text, context);
  const lines = (problems: typeof errors) =>
    problems.map((problem) => problemLine('', problem).slice(1));
  return { errors: lines(errors), warnings: lines(warnings) };
}

/** Splits a text with the mark `‸`: the text without it, and the line and column of the mark. */
export function marked(text: string): { text: string; at: string } {
  const before = text.slice(0, text.indexOf('‸'));
  const lines = before.split('\n');
  return { text: text.replace('‸', ''), at: `${lines.length}:${lines.at(-1)!.length + 1}` };
}
