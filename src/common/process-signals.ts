/** Signals that the gateway handles, by platform. */

export interface ProcessSignals {
  /** Begin a stop. */
  readonly stop: readonly NodeJS.Signals[];
  /** Begin a rolling restart. */
  readonly restart: readonly NodeJS.Signals[];
}

const UNIX: ProcessSignals = { stop: ['SIGTERM', 'SIGINT'], restart: ['SIGHUP'] };

/**
 * Events of the console. When its window closes, Windows sends SIGHUP and ends the process ten
 * seconds later: it is a stop. No program can send SIGHUP or SIGTERM, so `/drain` and
 * `/workers/restart` on the admin port take their place.
 */
const WINDOWS: ProcessSignals = { stop: ['SIGINT', 'SIGBREAK', 'SIGHUP'], restart: [] };

/** Returns the signals of a platform. @param platform as in `process.platform` */
export function processSignals(platform: string = process.platform): ProcessSignals {
  return platform === 'win32' ? WINDOWS : UNIX;
}
