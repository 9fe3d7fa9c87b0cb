/** Contents of a dashboard: its queries with variables replaced, run against a real Prometheus. */
import { type Dashboard, type Panel, panelsOf, type Target } from './dashboards.ts';
import type { Prometheus, Sample } from './prometheus.ts';

export interface View {
  readonly prometheus: Prometheus;
  /** Selected instances, as a regular expression. */
  readonly instance: string;
  /** Seconds since 1970. */
  readonly atSeconds: number;
  /** `$__rate_interval`: window of rates. */
  readonly rateSeconds: number;
}

/** Grafana's units per second. */
const PER_SECOND = ['eps', 'reqps', 'cps', 'Bps'];

/** Replaces variables as Grafana does. */
export function filledIn(expr: string, { instance, rateSeconds }: View): string {
  return expr
    .replaceAll('$__rate_interval', `${rateSeconds}s`)
    .replaceAll('$instance', instance)
    .replaceAll('$job', 'forebay')
    .replaceAll('$stream', '.+')
    .replaceAll('$worker', '.+');
}

/** Result of one query of a panel. */
export function answerOf({ expr }: Pick<Target, 'expr'>, view: View): Promise<Sample[]> {
  return view.prometheus.query(filledIn(expr, view), view.atSeconds);
}

/**
 * Returns the lines of a panel by their legends in Grafana. Values per second become sums over the
 * view's `rateSeconds`.
 */
export async function linesOf(
  dashboard: Dashboard,
  title: string,
  view: View,
): Promise<Record<string, number>> {
  const panel = panelNamed(dashboard, title);
  const factor = PER_SECOND.includes(panel.fieldConfig?.defaults.unit ?? '') ? view.rateSeconds : 1;
  const found: Record<string, number> = {};
  for (const target of panel.targets ?? []) {
    for (const { labels, value } of await answerOf(target, view)) {
      const name = target.legendFormat.replaceAll(
        /\{\{(\w+)\}\}/g,
        (_, label) => labels[label] ?? '',
      );
      found[name.trim()] = value * factor;
    }
  }
  return found;
}

function panelNamed(dashboard: Dashboard, title: string): Panel {
  const panel = panelsOf(dashboard).find((each) => each.title === title);
  if (panel === undefined) throw new Error(`${dashboard.title} has no panel '${title}'`);
  return panel;
}
