/** The command `doctor`: reports step by step what a gateway with these settings reaches. */
import { commandName } from '../../common/command-name.ts';
import { complain, EXIT, StartError } from '../../common/errors.ts';
import { processSignals } from '../../common/process-signals.ts';
import { type Config, readConfig, unknownSettings } from '../../config/config.ts';
import { TOPIC_NAME } from '../../config/setting-kinds.ts';
import { readOptions, shown, type ValueOption } from '../command-line.ts';
import { linesOf, Report, type RunFacts } from './report.ts';

/** Text of `doctor --help`. */
export function doctorHelp(): string {
  return `Usage: ${commandName()} doctor [--json] [--read-only | --scratch TOPIC]

Checks what a gateway with these settings depends on, step by step: the machine, ports, files and
schemas; the brokers by name, port, TLS, protocol and login; the addresses that they advertise; the
topics, permissions and limits; a record of each codec. Each step is ok, warn, fail or skip, with
what to do.

The records go to the topic forebay-doctor, which is created for them and deleted at the end, unless
it existed before. Nothing is written to the topics of the gateway.

  --json           one JSON object on stdout
  --read-only      create no topic and write no record; the clocks of the brokers are not checked
  --scratch TOPIC  write the records to this existing topic, and keep it

Exit codes: 0 no step failed; 1 a step failed; 2 invalid options or settings.`;
}

const TOPIC: ValueOption<string> = {
  expects: TOPIC_NAME.expected,
  read: (text) => (TOPIC_NAME.pattern.test(text) ? text : undefined),
};
const OPTIONS = { json: 'flag', 'read-only': 'flag', scratch: TOPIC } as const;

/**
 * Runs the checks and prints their results.
 * @param argv arguments after `doctor`
 * @param version of this command
 * @returns the exit code: 0 = no step failed, 1 = a step failed, 2 = the settings are invalid
 * @throws StartError (exit code 2) for invalid arguments
 */
export async function runDoctor(argv: readonly string[], version: string): Promise<number> {
  const { values, positionals, help } = readOptions(argv, OPTIONS, wrong);
  if (help) {
    console.log(doctorHelp());
    return EXIT.clean;
  }
  const { json, 'read-only': readOnly, scratch } = values;
  const [unexpected] = positionals;
  if (unexpected !== undefined) throw wrong(`unexpected argument ${shown(unexpected)}`);
  if (readOnly && scratch !== undefined) throw wrong('--read-only excludes --scratch');
  let previous: string | undefined;
  const report = new Report((finding) => {
    if (json) return;
    for (const line of linesOf(finding, previous)) console.log(line);
    previous = finding.section;
  });
  const facts: RunFacts = {
    version,
    node: process.versions.node,
    platform: `${process.platform} ${process.arch}`,
  };
  if (!json) console.log(`Forebay ${version}`);
  const config = settings(report);
  if (config !== undefined) await check(config, report, { readOnly, scratch });
  console.log(json ? report.json(facts) : `\n${report.summary()}`);
  if (config === undefined) return EXIT.configuration;
  return report.count('fail') > 0 ? EXIT.failed : EXIT.clean;
}

/** Reads the settings; undefined if they are invalid. */
function settings(report: Report): Config | undefined {
  const section = report.section('settings');
  for (const warning of unknownSettings(process.env)) {
    section.warn('names', warning, 'correct the name, or remove the variable');
  }
  try {
    const config = readConfig(process.env);
    section.ok('values', 'valid');
    return config;
  } catch (error) {
    if (!(error instanceof StartError)) throw error;
    const [, ...problems] = error.message.split('\n').map((line) => line.trim());
    for (const problem of problems) section.fail('values', problem, 'see docs/configuration.md');
    const reason = 'the settings are invalid';
    for (const name of ['gateway', 'files', 'kafka']) report.section(name).skip(['all'], reason);
    return undefined;
  }
}

interface Choices {
  readonly readOnly: boolean;
  readonly scratch: string | undefined;
}

async function check(config: Config, report: Report, choices: Choices): Promise<void> {
  // Loaded after the options are valid: the modules load all of the gateway.
  const [{ checkGateway }, { checkAllFiles }, { checkKafka }] = await Promise.all([
    import('./gateway.ts'),
    import('./files.ts'),
    import('./kafka.ts'),
  ]);
  await checkGateway(config, report.section('gateway'));
  const file = await checkAllFiles(config, report.section('files'));
  const interruption = new AbortController();
  const { signal } = interruption;
  const interrupt = (name: NodeJS.Signals) => {
    if (signal.aborted) return;
    complain(`${name}: finishing the current step and deleting the scratch topic`);
    interruption.abort();
  };
  const { stop } = processSignals();
  for (const name of stop) process.on(name, interrupt);
  try {
    await checkKafka(config, { file, signal, ...choices }, report);
  } finally {
    for (const name of stop) process.off(name, interrupt);
  }
}

function wrong(message: string): StartError {
  return new StartError(
    `doctor: ${message} (see ${commandName()} doctor --help)`,
    EXIT.configuration,
  );
}
