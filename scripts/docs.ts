/** Writes the reference pages that are generated from the code: `make docs`. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { settingsMarkdown } from '../src/config-texts.ts';
import { metricsMarkdown } from '../src/metrics/reference.ts';

const folder = new URL('../docs/', import.meta.url);
mkdirSync(folder, { recursive: true });
writeFileSync(new URL('configuration.md', folder), settingsMarkdown());
writeFileSync(new URL('metrics.md', folder), metricsMarkdown());
