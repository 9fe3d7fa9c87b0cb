/** `schema test`: examples that a schema must accept or reject. */
import { attemptAll, complain, EVENT_CODES, EXIT } from '../../common/errors.ts';
import { isObject } from '../../common/json-object.ts';
import { printable, printableJson } from '../../common/printable.ts';
import { readConfig } from '../../config/config.ts';
import type { Validator } from '../../worker/intake/validator.ts';
import { counted } from '../listen/format.ts';
import { type ExampleEvent, placeOf, readExamples } from './examples.ts';
import { type LoadedSchema, loadSchema, loadStreamSchema } from './schema-source.ts';
import { chooseStream } from './stream.ts';
import type { TestOptions } from './test-arguments.ts';
import { unusable } from './usage.ts';

/** An example with another result than expected. */
interface WrongExample {
  readonly example: ExampleEvent;
  readonly expected: 'pass' | 'fail';
  /** Reason why it fails; undefined = it passes. */
  readonly reason: string | undefined;
}

/** Outputs of the command. */
export interface TestOutput {
  /** Receives the report. */
  readonly print: (text: string) => void;
  /** Receives warnings. */
  readonly say: (line: string) => void;
}

const TERMINAL: TestOutput = { print: (text) => process.stdout.write(text), say: complain };

/**
 * Prints each example with an unexpected result, and the number of examples.
 * @returns the exit code: 0, or 3 if a result is unexpected
 * @throws StartError (exit code 2) for an unusable schema, stream or file of examples
 */
export async function testSchema(
  options: TestOptions,
  { print, say }: TestOutput = TERMINAL,
): Promise<number> {
  const schema = await schemaOf(options);
  for (const warning of schema.warnings) say(`warning: ${warning}`);
  const files = [...options.good, ...options.bad];
  const read = attemptAll<ExampleEvent[][]>(...files.map((file) => () => readExamples(file)));
  const good = read.slice(0, options.good.length).flat();
  const bad = read.slice(options.good.length).flat();
  const wrong = [
    ...wrongOnes(good, 'pass', schema.validate),
    ...wrongOnes(bad, 'fail', schema.validate),
  ];
  const counts = { good: good.length, bad: bad.length };
  const write = options.json ? jsonReport : textReport;
  print(write(schema.name, counts, wrong));
  return wrong.length === 0 ? EXIT.clean : EXIT.mismatch;
}

async function schemaOf({ schema, stream, streamsFile }: TestOptions): Promise<LoadedSchema> {
  if (schema !== undefined) return loadSchema(schema);
  const config = readConfig(process.env);
  const { path, stream: chosen } = await chooseStream(config, { stream, streamsFile });
  if (chosen.schema === undefined) throw unusable(`stream ${chosen.name} has no schema`);
  return loadStreamSchema(config, path, chosen.schema);
}

function wrongOnes(
  examples: readonly ExampleEvent[],
  expected: 'pass' | 'fail',
  validate: Validator,
): WrongExample[] {
  return examples.flatMap((example) => {
    const { value } = example;
    const reason = isObject(value) ? validate(value) : EVENT_CODES.not_an_object.text;
    const result = reason === undefined ? 'pass' : 'fail';
    return result === expected ? [] : [{ example, expected, reason }];
  });
}

interface Counts {
  readonly good: number;
  readonly bad: number;
}

function textReport(schema: string, counts: Counts, wrong: readonly WrongExample[]): string {
  const lines = wrong.map(({ example, expected, reason }) => {
    const result = reason === undefined ? 'passes' : `fails: ${reason}`;
    return `${placeOf(example)}: must ${expected}, but ${result}`;
  });
  const result = wrong.length === 0 ? 'all as expected' : `${wrong.length} not as expected`;
  const total = `${counted(counts.good, 'good example')}, ${counted(counts.bad, 'bad example')}`;
  lines.push(`${schema}: ${total}: ${result}`);
  return `${lines.map(printable).join('\n')}\n`;
}

function jsonReport(schema: string, counts: Counts, wrong: readonly WrongExample[]): string {
  const report = {
    schema,
    passed: wrong.length === 0,
    good: counts.good,
    bad: counts.bad,
    wrong: wrong.map(({ example: { value: _, ...place }, expected, reason }) => ({
      ...place,
      expected,
      ...(reason !== undefined && { reason }),
    })),
  };
  return `${printableJson(JSON.stringify(report))}\n`;
}
