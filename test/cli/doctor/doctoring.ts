/** Runs of the command `doctor`, for its tests. */
import type { Finding } from '../../../src/cli/doctor/report.ts';
import { Child, freePort } from '../../../testing/child.ts';

export interface DoctorRun {
  readonly code: number | null;
  readonly findings: readonly Finding[];
  readonly stdout: string;
  readonly stderr: string;
}

/** Returns settings with free ports. */
export async function ownPorts(): Promise<Record<string, string>> {
  return {
    FOREBAY_HOST: '127.0.0.1',
    FOREBAY_PORT: String(await freePort()),
    FOREBAY_ADMIN_PORT: String(await freePort()),
    FOREBAY_WORKERS: '1',
  };
}

/** Runs `doctor --json` with these settings and arguments, on free ports. */
export async function doctor(
  env: Readonly<Record<string, string>>,
  args: readonly string[] = [],
): Promise<DoctorRun> {
  const child = new Child('dist/main.js', ['doctor', '--json', ...args], {
    ...(await ownPorts()),
    ...env,
  });
  const { code } = await child.ended;
  const { stdout, stderr } = child;
  const { findings = [] } = (stdout === '' ? {} : JSON.parse(stdout)) as Partial<DoctorRun>;
  return { code, findings, stdout, stderr };
}

/** Returns `status: detail` of each finding of a step; of sections that begin with a text. */
export function resultsOf(
  { findings }: Pick<DoctorRun, 'findings'>,
  section: string,
  step: string,
) {
  return findings
    .filter((finding) => finding.section.startsWith(section) && finding.step === step)
    .map(({ status, detail }) => `${status}: ${detail}`);
}

/** Returns `section step` of each finding with this status. */
export function withStatus({ findings }: Pick<DoctorRun, 'findings'>, status: string): string[] {
  return findings
    .filter((finding) => finding.status === status)
    .map(({ section, step }) => `${section}: ${step}`);
}
