/** When a version may be given out. */

export interface ReleaseState {
  /** Of package.json. */
  readonly version: string;
  /** What `git status --porcelain` prints. */
  readonly status: string;
  readonly changelog: string;
}

/** What stands against a release, a line each; none = it may be made. */
export function refusals({ version, status, changelog }: ReleaseState): string[] {
  const found: string[] = [];
  if (status !== '') found.push('there are changes that are in no commit');
  const text = section(changelog, version);
  if (text === undefined) found.push(`CHANGELOG.md has no section "## ${version} – YYYY-MM-DD"`);
  else if (text === '') found.push(`CHANGELOG.md says nothing about ${version}`);
  return found;
}

/** The text under `## VERSION – DATE`; undefined = there is none. */
function section(changelog: string, version: string): string | undefined {
  const parts = changelog.split(/^## /m).slice(1);
  const part = parts.find((one) => {
    const [head = ''] = one.split('\n', 1);
    return (
      head.startsWith(`${version} `) && /^ [–-] \d{4}-\d\d-\d\d$/.test(head.slice(version.length))
    );
  });
  return part?.slice(part.indexOf('\n')).trim();
}
