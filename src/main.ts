#!/usr/bin/env node
/**
 * The program's file, for the command and for workers. Before anything else is loaded, which takes a
 * tenth of a second, SIGUSR1 is ignored: by it Node.js would open its inspector on 127.0.0.1:9229,
 * where every user of the machine could run code in the process. The listener stays: without one
 * the signal would end the process.
 */
import { fileURLToPath } from 'node:url';

process.on('SIGUSR1', () => {});
const { start } = await import('./cli/command.ts');
await start(fileURLToPath(import.meta.url));
