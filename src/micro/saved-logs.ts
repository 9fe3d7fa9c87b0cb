/** The folder of `--data`: a file per stream and outcome, `clicks.stored.ndjson`. */
import { mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { attempt, EXIT, StartError, systemReason } from '../common/errors.ts';
import { isObject, type JsonObject } from '../common/json-object.ts';
import { NO_STREAM } from '../metrics/slots.ts';
import type { LogLine } from './bounded-log.ts';
import { OUTCOMES, type Outcome } from './log-entry.ts';
import { LogFile } from './log-file.ts';

/** In file names, the name of events without a stream; no stream has it. */
const NO_STREAM_FILE = '_none';
const FILE_NAME = new RegExp(`^(.+)\\.(${OUTCOMES.join('|')})\\.ndjson$`);
const FOLDER_MODE = 0o700;

/** A log of an earlier process. */
export interface SavedLog {
  readonly stream: string;
  readonly outcome: Outcome;
  readonly file: LogFile;
  readonly lines: readonly LogLine[];
  /** Content of the lines. */
  readonly entries: readonly JsonObject[];
}

/** Returns the file of a stream's events with this outcome. */
export function logPath(folder: string, stream: string, outcome: Outcome): string {
  const name = stream === NO_STREAM ? NO_STREAM_FILE : stream;
  return join(folder, `${name}.${outcome}.ndjson`);
}

/** Creates the folder, and reads its logs. @throws StartError (exit code 1) if one is unusable */
export function readSavedLogs(folder: string): SavedLog[] {
  let names: string[];
  try {
    mkdirSync(folder, { recursive: true, mode: FOLDER_MODE });
    names = readdirSync(folder).sort();
  } catch (error) {
    const reason = systemReason(error);
    throw new StartError(`micro: cannot use --data ${folder}: ${reason}`, EXIT.failed);
  }
  return names.flatMap((fileName) => {
    const [, name, outcome] = FILE_NAME.exec(fileName) ?? [];
    if (name === undefined) return [];
    const stream = name === NO_STREAM_FILE ? NO_STREAM : name;
    return [readSavedLog(join(folder, fileName), stream, outcome as Outcome)];
  });
}

function readSavedLog(path: string, stream: string, outcome: Outcome): SavedLog {
  const file = new LogFile(path);
  const texts = file.read();
  const entries = texts.map((text, index) => {
    const entry = attempt<unknown>(() => JSON.parse(text));
    if (isObject(entry) && Number.isSafeInteger(entry.seq)) return entry;
    const line = `micro: line ${index + 1} of ${path} is not an event of forebay micro`;
    throw new StartError(`${line}: repair it, or move the file away`, EXIT.failed);
  });
  const lines = texts.map((text, index) => ({ seq: entries[index]!.seq as number, text }));
  return { stream, outcome, file, lines, entries };
}
