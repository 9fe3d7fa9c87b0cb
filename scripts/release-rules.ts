/** Conditions of a release. */

export interface ReleaseState {
  /** Of package.json. */
  readonly version: string;
  /** Output of `git status --porcelain`. */
  readonly status: string;
  readonly changelog: string;
}

/** Reasons against a release, a line each. */
export function refusals({ version, status, changelog }: ReleaseState): string[] {
  const found: string[] = [];
  if (status !== '') found.push('there are uncommitted changes');
  const text = section(changelog, version);
  if (text === undefined) found.push(`CHANGELOG.md has no section "## ${version} – YYYY-MM-DD"`);
  else if (text === '') found.push(`CHANGELOG.md says nothing about ${version}`);
  return found;
}

/** Text below `## VERSION – DATE`; undefined = none. */
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
