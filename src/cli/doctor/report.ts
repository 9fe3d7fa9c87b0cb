/** Findings of `doctor`, and their forms: lines for a terminal, one JSON object for programs. */
import { printable, printableJson } from '../../common/printable.ts';
import { redacted } from '../../common/redact.ts';

/** `skip`: not checked, since an earlier step failed or an option excludes it. */
export const STATUSES = ['ok', 'warn', 'fail', 'skip'] as const;
export type Status = (typeof STATUSES)[number];

/** Result of one step. */
export interface Finding {
  /** Object of the step: `gateway`, `broker 10.0.0.7:9092`, `topic clicks`. */
  readonly section: string;
  /** Name of the step, as in docs/doctor.md. */
  readonly step: string;
  readonly status: Status;
  /** Result in words; of a skipped step the reason. */
  readonly detail: string;
  /** Action to take; undefined = none. */
  readonly advice?: string | undefined;
}

/** A finding without its section. */
export type StepResult = Omit<Finding, 'section'>;

/** Environment of a run. */
export interface RunFacts {
  readonly version: string;
  readonly node: string;
  readonly platform: string;
}

/** Collects the findings of a run, without control characters and credentials of URLs. */
export class Report {
  readonly findings: Finding[] = [];
  readonly #added: (finding: Finding) => void;

  /** @param added receives each finding at once */
  constructor(added: (finding: Finding) => void) {
    this.#added = added;
  }

  section(name: string): Section {
    return new Section(name, (finding) => this.#add(finding));
  }

  count(status: Status): number {
    return this.findings.filter((finding) => finding.status === status).length;
  }

  /** Returns the findings as one JSON object. */
  json(facts: RunFacts): string {
    const counts = Object.fromEntries(STATUSES.map((status) => [status, this.count(status)]));
    const value = { ...facts, ok: this.count('fail') === 0, counts, findings: this.findings };
    return printableJson(JSON.stringify(value));
  }

  /** Returns the number of findings by status, as a line. */
  summary(): string {
    const parts = [
      [this.count('fail'), 'failed'],
      [this.count('warn'), 'with warnings'],
      [this.count('ok'), 'ok'],
      [this.count('skip'), 'skipped'],
    ] as const;
    return parts.flatMap(([count, text]) => (count > 0 ? `${count} ${text}` : [])).join(', ');
  }

  #add(finding: Finding): void {
    const { advice } = finding;
    const shown = {
      ...finding,
      section: clean(finding.section),
      detail: clean(finding.detail),
      ...(advice !== undefined && { advice: clean(advice) }),
    };
    this.findings.push(shown);
    this.#added(shown);
  }
}

/** Adds the findings of one object. */
export class Section {
  readonly #name: string;
  readonly #add: (finding: Finding) => void;

  constructor(name: string, add: (finding: Finding) => void) {
    this.#name = name;
    this.#add = add;
  }

  ok(step: string, detail: string): void {
    this.add({ step, status: 'ok', detail });
  }

  warn(step: string, detail: string, advice: string): void {
    this.add({ step, status: 'warn', detail, advice });
  }

  fail(step: string, detail: string, advice: string): void {
    this.add({ step, status: 'fail', detail, advice });
  }

  /** Adds a finding for each step that was not checked. */
  skip(steps: readonly string[], reason: string): void {
    for (const step of steps) this.add({ step, status: 'skip', detail: reason });
  }

  add(result: StepResult): void {
    this.#add({ section: this.#name, ...result });
  }
}

const STATUS_WIDTH = 4;
const STEP_WIDTH = 15;
const ADVICE_INDENT = ' '.repeat(2 + STATUS_WIDTH + 2 + STEP_WIDTH + 2);

/**
 * Returns the lines of a finding for a terminal.
 * @param previous section of the finding before it, if any
 */
export function linesOf(finding: Finding, previous: string | undefined): string[] {
  const { section, step, status, detail, advice } = finding;
  const heading = section === previous ? [] : [section];
  const line = `  ${status.padEnd(STATUS_WIDTH)}  ${step.padEnd(STEP_WIDTH)}  ${detail}`;
  return [...heading, line, ...(advice === undefined ? [] : [`${ADVICE_INDENT}${advice}`])];
}

function clean(text: string): string {
  return printable(redacted(text));
}
