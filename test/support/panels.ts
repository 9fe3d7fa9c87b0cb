/** What a dashboard shows: its queries with the variables filled in, asked of a real Prometheus. */
import { type Dashboard, type Panel, panelsOf, type Target } from './dashboards.ts';
import type { Prometheus, Sample } from './prometheus.ts';

export interface View {
  readonly prometheus: Prometheus;
  /** The choice of instances, as a regular expression. */
  readonly instance: string;
  /** In seconds since 1970. */
  readonly atSeconds: number;
  /** `$__rate_interval`: over so long rates are taken. */
  readonly rateSeconds: number;
}

/** Units of which Grafana says that they are per second. */
const PER_SECOND = ['eps', 'reqps', 'cps', 'Bps'];

/** As Grafana fills in its variables. */
export function filledIn(expr: string, { instance, rateSeconds }: View): string {
  return expr
    .replaceAll('$__rate_interval', `${rateSeconds}s`)
    .replaceAll('$instance', instance)
    .replaceAll('$job', 'forebay')
    .replaceAll('$worker', '.+');
}

/** The answer to one query of a panel. */
export function answerOf({ expr }: Pick<Target, 'expr'>, view: View): Promise<Sample[]> {
  return view.prometheus.query(filledIn(expr, view), view.atSeconds);
}

/**
 * The lines of a panel by the names that Grafana gives them. What is shown per second is given as
 * the sum over the view's `rateSeconds`.
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
