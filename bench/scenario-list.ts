/** Lists scenarios for display: name, summary and duration. */
export function scenarioList(
  scenarios: readonly { name: string; summary: string; minutes: number }[],
): string {
  const width = Math.max(...scenarios.map(({ name }) => name.length));
  const lines = scenarios.map(
    ({ name, summary, minutes }) => `  ${name.padEnd(width)}  ${summary}; ${minutes} min`,
  );
  return lines.join('\n');
}
