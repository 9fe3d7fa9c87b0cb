import type { ToWorker } from '../ipc.ts';
import { PROCESS_CHANNEL, type PrimaryChannel } from './primary-channel.ts';

type MessageOf<T extends ToWorker['type']> = ToWorker & { readonly type: T };

/** Messages of the primary, kept until the worker handles them. */
export class Inbox {
  #kept: ToWorker[] = [];
  readonly #keep = (message: ToWorker) => void this.#kept.push(message);
  #receive: (message: ToWorker) => void = this.#keep;

  /** Receives from now on: messages that no listener expects are lost. */
  constructor(channel: Pick<PrimaryChannel, 'onMessage'> = PROCESS_CHANNEL) {
    channel.onMessage((message) => this.#receive(message));
  }

  /** Returns the first message of a type; the others are kept. */
  first<T extends ToWorker['type']>(type: T): Promise<MessageOf<T>> {
    return new Promise((resolve) => {
      const isWanted = (message: ToWorker): message is MessageOf<T> => message.type === type;
      const found = this.#kept.findIndex(isWanted);
      if (found >= 0) return resolve(this.#kept.splice(found, 1)[0] as MessageOf<T>);
      this.#receive = (message) => {
        if (!isWanted(message)) return this.#keep(message);
        this.#receive = this.#keep;
        resolve(message);
      };
    });
  }

  /** Calls `listener` with each kept message, and with all further ones. */
  listen(listener: (message: ToWorker) => void): void {
    this.#receive = listener;
    for (const message of this.#kept.splice(0)) listener(message);
  }
}
