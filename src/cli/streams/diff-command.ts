/** `streams diff`: what a stream file changes against the running gateway. */
import { EXIT, StartError } from '../../common/errors.ts';
import { isObject } from '../../common/json-object.ts';
import { printable, printableJson } from '../../common/printable.ts';
import { describeStreams, type StreamsDescription } from '../../streams/description.ts';
import type { StreamsDiff } from '../../streams/diff.ts';
import { type Changes, diffStreams, isEmpty } from '../../streams/diff.ts';
import type { StreamFile } from '../../streams/stream-file.ts';
import { getAdmin } from '../admin-port.ts';

export interface DiffOptions {
  /** Base URL of the admin port. */
  readonly gateway: string;
  readonly json: boolean;
}

/**
 * Prints the differences of the gateway's streams and those of `file`.
 * @returns the exit code: 0 = no differences, 1 = differences
 * @throws StartError (exit code 2) if the gateway does not respond, or has no stream file
 */
export async function diffWithGateway(file: StreamFile, options: DiffOptions): Promise<number> {
  const { gateway, json } = options;
  const current = await streamsOf(gateway);
  const diff = diffStreams(current, describeStreams(file));
  const differs = !isEmpty(diff);
  const value = { gateway, version: current.version, differs, ...diff };
  if (json) process.stdout.write(`${printableJson(JSON.stringify(value))}\n`);
  else process.stdout.write(differs ? diffText(diff) : `no differences from ${gateway}\n`);
  return differs ? EXIT.failed : EXIT.clean;
}

async function streamsOf(gateway: string): Promise<StreamsDescription> {
  const url = `${gateway}/streams`;
  const failed = (reason: string) => new StartError(`${url}: ${reason}`, EXIT.configuration);
  const response = await getAdmin(url);
  if ('failure' in response) throw failed(response.failure);
  const { status, body } = response;
  const content = parsed(body);
  if (status === 200 && isDescription(content)) return content;
  const { error } = isObject(content) ? content : {};
  const message = isObject(error) ? printable(String(error.message)) : 'not a gateway’s response';
  throw failed(`${status} ${message}`);
}

function parsed(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    return undefined;
  }
}

function isDescription(content: unknown): content is StreamsDescription {
  if (!isObject(content)) return false;
  const { routing, streams } = content;
  return isObject(routing) && isObject(streams) && Object.values(streams).every(isObject);
}

/** Remarks on changes that have more effects than their values tell. */
const REMARKS: Readonly<Record<string, string>> = {
  topic: 'the old topic drains first',
  create: 'only for a topic that does not exist',
};

/** Properties that describe a schema file. */
const SCHEMAS = ['schema', 'schemaCandidate'];

/** Returns a line for each stream, and below it one for each changed property. */
function diffText({ added, removed, changed, routing }: StreamsDiff): string {
  const lines = [
    ...Object.entries(removed).map(([name, { topic }]) => `- ${name} (topic ${topic})`),
    ...Object.entries(added).map(([name, { topic }]) => `+ ${name} (topic ${topic})`),
    ...Object.entries(changed).flatMap(([name, changes]) => [
      `~ ${name}`,
      ...propertyLines(changes),
    ]),
  ];
  if (Object.keys(routing).length > 0) lines.push('~ routing', ...propertyLines(routing));
  return `${lines.map(printable).join('\n')}\n`;
}

function propertyLines(changes: Changes): string[] {
  return Object.entries(changes).map(([path, change]) => {
    const [property = ''] = path.split('.', 1);
    const remark = REMARKS[property];
    const shown = SCHEMAS.includes(path) ? shownSchema : shownValue;
    const values = [change.old, change.new].map(shown);
    return `    ${path}: ${values.join(' -> ')}${remark === undefined ? '' : ` (${remark})`}`;
  });
}

function shownValue(value: unknown): string {
  if (value === null) return 'none';
  return typeof value === 'string' ? value : JSON.stringify(value);
}

/** Digits of a SHA-256 that tell contents apart. */
const DIGITS = 12;

function shownSchema(schema: unknown): string {
  if (!isObject(schema)) return 'none';
  const { file, subject, version, id, framing, sha256 } = schema;
  const digest = String(sha256).slice(0, DIGITS);
  if (subject === undefined) return `${file} (${digest})`;
  return `${subject} version ${version} (id ${id}, ${framing}, ${digest})`;
}
