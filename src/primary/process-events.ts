import { processSignals } from '../common/process-signals.ts';

export interface ProcessEventHandlers {
  /** Handles SIGTERM or SIGINT, or what the platform has instead. */
  readonly stop: (signal: NodeJS.Signals) => void;
  /** Handles SIGHUP. */
  readonly restart: (signal: NodeJS.Signals) => void;
  readonly uncaught: (error: unknown) => void;
}

/** Handles signals and uncaught exceptions. @returns a function that removes the listeners */
export function listenToProcess(handlers: ProcessEventHandlers): () => void {
  const signals = processSignals();
  const { stop, restart, uncaught } = handlers;
  for (const signal of signals.stop) process.on(signal, stop);
  for (const signal of signals.restart) process.on(signal, restart);
  process.on('uncaughtException', uncaught);
  return () => {
    for (const signal of signals.stop) process.off(signal, stop);
    for (const signal of signals.restart) process.off(signal, restart);
    process.off('uncaughtException', uncaught);
  };
}
