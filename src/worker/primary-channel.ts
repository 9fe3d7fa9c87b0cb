import type { ToPrimary, ToWorker } from '../ipc.ts';
import type { Logger } from '../logging/logger.ts';
import type { EventStorage } from './event-storage.ts';

/** A worker's connection to its primary. */
export interface PrimaryChannel {
  /** Resolves when the message has left. */
  send(message: ToPrimary): Promise<void>;
  /** Calls `receive` with each message of the primary from now on. */
  onMessage(receive: (message: ToWorker) => void): void;
  /** Ends the worker. */
  exit(code: number): void;
}

/** Channel of a worker process. */
export const PROCESS_CHANNEL: PrimaryChannel = {
  send: (message) =>
    new Promise((resolve) => {
      if (process.send === undefined) resolve();
      else process.send(message, undefined, undefined, () => resolve());
    }),
  onMessage: (receive) => void process.on('message', receive),
  exit: (code) => process.exit(code),
};

/** Parts of a worker that depend on its process. */
export interface WorkerParts {
  readonly log: Logger;
  readonly channel: PrimaryChannel;
  /** Stores events in place of Kafka; undefined = Kafka does. */
  readonly storage?: EventStorage | undefined;
}
