/** `make docs`: generates reference pages and dashboards from the code and the lock file. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { overview } from '../grafana/overview.ts';
import { workers } from '../grafana/workers.ts';
import { settingsMarkdown } from '../src/config/reference.ts';
import { metricsMarkdown } from '../src/metrics/reference.ts';
import { streamFileSchemaText } from '../src/streams/stream-file-schema.ts';
import { licencesMarkdown } from './packages.ts';

const folder = new URL('../docs/', import.meta.url);
mkdirSync(folder, { recursive: true });
writeFileSync(new URL('configuration.md', folder), settingsMarkdown());
writeFileSync(new URL('metrics.md', folder), metricsMarkdown());
writeFileSync(new URL('licences.md', folder), licencesMarkdown());
writeFileSync(new URL('streams.schema.json', folder), streamFileSchemaText());

const dashboards = new URL('../grafana/dashboards/', import.meta.url);
mkdirSync(dashboards, { recursive: true });
writeFileSync(new URL('forebay-overview.json', dashboards), overview());
writeFileSync(new URL('forebay-workers.json', dashboards), workers());
