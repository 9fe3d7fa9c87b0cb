/** Texts that show settings: the command `config`, `--help`, docs/configuration.md. */

import { printable } from '../common/printable.ts';
import { HIDDEN, redactedValue } from '../common/redact.ts';
import type { Config } from './config.ts';
import { LIMITS } from './limits.ts';
import { SETTING_ENTRIES as entries } from './settings.ts';

/**
 * Output of the command `config`: one line per setting, `VARIABLE=value`. Secrets, and user info
 * and query of URLs, are hidden.
 */
export function describeConfig(config: Config): string[] {
  return entries.map(([name, setting]) => {
    const value = config[name];
    const hidden = setting.secret && value !== undefined;
    return `${setting.env}=${hidden ? HIDDEN : shown(value)}`;
  });
}

function shown(value: unknown): string {
  if (typeof value === 'boolean') return value ? '1' : '0';
  if (value === undefined) return '';
  const text = printable(String(value));
  // A path may contain `?` or `@`.
  return /:\/\/|-----BEGIN /.test(text) ? redactedValue(text) : text;
}

/** Settings in `--help`. */
export function settingsHelp(): string {
  const width = Math.max(...entries.map(([, setting]) => setting.env.length));
  return entries
    .map(([, { env, meaning, defaultText, unit, secret }]) => {
      const fallback = unit === '' ? defaultText : `${defaultText} ${unit}`;
      return `  ${env.padEnd(width)}  ${meaning}${secret ? ' (secret)' : ''} [${fallback}]`;
    })
    .join('\n');
}

/** Text of docs/configuration.md: the reference table. */
export function settingsMarkdown(): string {
  const rows = entries.map(([, { env, meaning, defaultText, unit, secret }]) => {
    const fallback = `\`${defaultText}\`${unit === '' ? '' : ` ${unit}`}`;
    const note = secret ? ' (secret: never shown or logged)' : '';
    return `| \`${env}\` | ${fallback} | ${meaning.replaceAll('|', '\\|')}${note} |`;
  });
  return `# Configuration

Forebay is configured by environment variables. \`node dist/main.js config\`, after \`make build\`,
prints the effective values and checks the files that they name: schema, certificates, keys,
passwords. All invalid settings and unusable files are reported together, with exit code 2.
FOREBAY_EVENT_SCHEMA and FOREBAY_KEY_FIELD are explained in [schema.md](schema.md).
An unknown variable that begins with \`FOREBAY_\` or \`KAFKA_\` is reported in a warning.
In Kubernetes, a service named \`forebay\` sets \`FOREBAY_PORT\` in the pods of its namespace: set
\`enableServiceLinks: false\` for them.

This page is generated from \`src/config/settings.ts\` by \`make docs\`; a test checks it.

| variable | default | meaning |
|---|---|---|
${rows.join('\n')}

Fixed limits (\`src/config/limits.ts\`): ${LIMITS.frameEvents} events in a frame, ${LIMITS.bodyEvents} in an
HTTP body, ${LIMITS.bodyBytes} bytes in an HTTP body, ${LIMITS.unreadBytes} unread bytes per
connection.
`;
}
