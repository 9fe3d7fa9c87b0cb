import type { Config } from '../../config/config.ts';
import type { ToPrimary } from '../../ipc.ts';
import type { TailViewer } from '../../tail/entry.ts';
import type { Tail, TailParts } from './tail.ts';

/**
 * Creates the live tail of a worker with its first viewers: it is not even loaded before.
 * @param send sends a message to the primary; resolves when it has left
 * @returns receives all viewers whenever they have changed
 */
export function tailOnDemand(
  { tailRedact: redaction }: Pick<Config, 'tailRedact'>,
  parts: Omit<TailParts, 'redaction' | 'send'>,
  send: (message: ToPrimary) => Promise<void>,
): (viewers: readonly TailViewer[]) => void {
  let tail: Promise<Tail> | undefined;
  return (viewers) => {
    if (tail === undefined && viewers.length === 0) return;
    tail ??= import('./tail.ts').then(({ Tail }) => {
      return new Tail({ ...parts, redaction, send: (report) => send({ type: 'tail', report }) });
    });
    void tail.then((loaded) => loaded.watch(viewers));
  };
}
