#!/usr/bin/env node
/**
 * Entry point of the command and of workers. Ignores SIGUSR1 before anything else loads, which
 * takes 100 ms: on that signal Node.js would open its inspector on 127.0.0.1:9229, where every user
 * of the machine could run code in the process. The listener stays: without one the signal would
 * terminate the process.
 */
import { fileURLToPath } from 'node:url';

process.on('SIGUSR1', () => {});
const { start } = await import('./cli/command.ts');
await start(fileURLToPath(import.meta.url));
