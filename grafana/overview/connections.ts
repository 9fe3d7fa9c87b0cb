/** Connections, and rejected upgrades and requests. */
import type { Row } from '../dashboard.ts';
import { lines } from '../panels.ts';
import { of, sumOfRates } from '../queries.ts';

export const connections: Row = {
  title: 'Connections and requests',
  panels: [
    lines({
      title: 'Open connections',
      description: 'WebSockets (ws) and all others (http), by instance.',
      unit: 'short',
      stacked: true,
      queries: [
        {
          expr: `sum by (instance, transport) (${of('forebay_connections')})`,
          legend: '{{instance}} {{transport}}',
        },
      ],
    }),
    lines({
      title: 'Opened and closed',
      description:
        'Closed by reason: lost = without a close frame; restart and age = asked to reconnect; ' +
        'credit_exceeded, flooding and slow_consumer = the client violated a limit.',
      unit: 'cps',
      queries: [
        {
          expr: sumOfRates('forebay_connections_opened_total', ['transport']),
          legend: 'opened {{transport}}',
        },
        {
          expr: sumOfRates('forebay_connections_closed_total', ['reason']),
          legend: 'closed: {{reason}}',
        },
      ],
    }),
    lines({
      title: 'Refused handshakes and requests',
      description: 'WebSocket handshakes, and HTTP requests rejected as a whole, by reason.',
      unit: 'reqps',
      queries: [
        {
          expr: sumOfRates('forebay_handshakes_refused_total', ['reason']),
          legend: 'handshake: {{reason}}',
        },
        {
          expr: sumOfRates('forebay_requests_refused_total', ['reason']),
          legend: 'request: {{reason}}',
        },
      ],
    }),
    lines({
      title: 'Certificate',
      description: 'Time until the certificate for clients expires; 0: expired, or no TLS.',
      unit: 's',
      queries: [
        {
          expr: `min by (instance) (clamp_min(${of('forebay_tls_certificate_not_after_seconds')} - time(), 0))`,
          legend: '{{instance}}',
        },
      ],
    }),
  ],
};
