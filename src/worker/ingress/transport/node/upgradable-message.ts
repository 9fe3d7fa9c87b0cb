import { IncomingMessage } from 'node:http';

/** Requests with an `Upgrade` header, as node:http found them. */
const UPGRADES = new WeakSet<IncomingMessage>();

/**
 * Creates the class of requests for which node:http leaves HTTP only if `isHandshake`. By default it
 * does so for any `Upgrade` header, for example the `h2c` that the JDK sends with each first request.
 */
export function upgradableMessage(
  isHandshake: (request: IncomingMessage) => boolean,
): typeof IncomingMessage {
  return class UpgradableMessage extends IncomingMessage {
    /** Set by node:http while it parses the headers, read when it has. */
    get upgrade(): boolean {
      return UPGRADES.has(this) && (this.method === 'CONNECT' || isHandshake(this));
    }
    set upgrade(value: boolean) {
      if (value) UPGRADES.add(this);
      else UPGRADES.delete(this);
    }
  };
}
