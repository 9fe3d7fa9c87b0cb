/** Table of the streams of a file. */
import { printable } from '../../common/printable.ts';
import { REFUSE, type StreamFile, type StreamSpec } from '../../streams/stream-file.ts';

const HEADINGS = ['stream', 'topic', 'match', 'key', 'access', 'owner'] as const;
const NONE = '-';
/** Maximum characters of a list in a cell. */
const CELL_LENGTH_MAX = 40;

/** Returns a line per stream, below the headings, and a line about the routing. */
export function streamsSummary({ routing, streams }: StreamFile): string {
  const rows = [HEADINGS, ...streams.map(cellsOf)];
  const widths = HEADINGS.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  const lines = rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column]!))
      .join('  ')
      .trimEnd(),
  );
  return `${[...lines, '', routingLine(routing)].join('\n')}\n`;
}

function cellsOf({ name, topic, match, key, access, internal, owner }: StreamSpec): string[] {
  const ownedBy = printable(owner ?? NONE);
  if (internal) return [name, topic, NONE, NONE, 'internal', ownedBy];
  const keys = key.map((path) => path.join('.'));
  return [name, topic, listed(match), listed(keys), access, ownedBy];
}

function routingLine({ field, unknown }: StreamFile['routing']): string {
  if (field === undefined) return 'no routing by content';
  const result = unknown === REFUSE ? 'are refused' : `go to ${unknown}`;
  return `routing by ${printable(field.join('.'))}; unknown values ${result}`;
}

/** Joins the texts that fit into a cell. */
function listed(texts: readonly string[]): string {
  if (texts.length === 0) return NONE;
  const all = printable(texts.join(', '));
  if (all.length <= CELL_LENGTH_MAX) return all;
  return `${all.slice(0, CELL_LENGTH_MAX - 1)}… (${texts.length})`;
}
