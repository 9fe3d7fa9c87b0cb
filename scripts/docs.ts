/** Writes the reference pages that come from the code and the lock file: `make docs`. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { settingsMarkdown } from '../src/config-texts.ts';
import { metricsMarkdown } from '../src/metrics/reference.ts';
import { licencesMarkdown } from './packages.ts';

const folder = new URL('../docs/', import.meta.url);
mkdirSync(folder, { recursive: true });
writeFileSync(new URL('configuration.md', folder), settingsMarkdown());
writeFileSync(new URL('metrics.md', folder), metricsMarkdown());
writeFileSync(new URL('licences.md', folder), licencesMarkdown());
