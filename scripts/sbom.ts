/** `make sbom`: writes the bill of materials of the production packages. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { bom } from './bom.ts';

const file = new URL('../dist/sbom.cdx.json', import.meta.url);
mkdirSync(new URL('.', file), { recursive: true });
const made = bom();
writeFileSync(file, `${JSON.stringify(made, null, 2)}\n`);
console.log(`dist/sbom.cdx.json: ${made.components.length} packages`);
