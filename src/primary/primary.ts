/**
 * The primary: forks the workers, keeps them alive, adds up their numbers, serves operators.
 * It never touches an event. This file wires its parts and holds what they decide together:
 *
 *   workers --messages--> supervisor --> totals     --> registry --> admin /metrics
 *                                    --> readiness  --> admin /readyz, and back to the workers
 *                                    --> steward    --> one worker looks after the topic
 *   signals --> stop.ts: drain, deadline, exit code
 */
import type { Registry } from 'prom-client';
import type { Config } from '../config.ts';
import { EXIT, StartError } from '../errors.ts';
import type { Readiness, ToPrimary, WorkerStatus } from '../messages.ts';
import { Admin } from './admin.ts';
import { type Endpoint, probePort } from './ports.ts';
import { PrimaryLog } from './primary-log.ts';
import { ReadinessGate, sameReadiness } from './readiness.ts';
import { Steward } from './steward.ts';
import { Stop } from './stop.ts';
import { type Death, Supervisor } from './supervisor.ts';
import { Totals } from './totals.ts';

export interface PrimaryOptions {
  /** File that the workers run. */
  readonly exec: string;
  readonly version: string;
}

/** A state that passes sooner is not worth a line. */
const NOT_READY_LINE_MS = 1_000;

/**
 * Serves until a signal or a failure ends it; no worker is left then.
 * @returns the exit code
 * @throws StartError when it cannot start, or when no worker can run
 */
export async function runPrimary(config: Config, options: PrimaryOptions): Promise<number> {
  return new Primary(config, options).run();
}

class Primary {
  readonly #config: Config;
  readonly #version: string;
  readonly #log = new PrimaryLog();
  readonly #totals: Totals;
  readonly #gate = new ReadinessGate();
  readonly #supervisor: Supervisor;
  readonly #steward: Steward;
  readonly #stop: Stop;
  readonly #admin: Admin;
  readonly #statuses: (WorkerStatus | undefined)[];
  #readiness: Readiness;
  /** The last answer that stands in the log. */
  #logged: Readiness | undefined;
  #notReadyLine: NodeJS.Timeout | undefined;
  #restarts = 0;
  #registry: Promise<Registry> | undefined;

  constructor(config: Config, { exec, version }: PrimaryOptions) {
    this.#config = config;
    this.#version = version;
    this.#totals = new Totals(config.workers);
    this.#statuses = new Array(config.workers).fill(undefined);
    this.#readiness = this.#gate.update(this.#statuses, false);
    this.#supervisor = new Supervisor({
      exec,
      slots: config.workers,
      hooks: {
        forked: (slot, worker) => this.#totals.begin(slot, worker),
        attached: (slot) => this.#attached(slot),
        message: (slot, worker, message) => this.#message(slot, worker, message),
        died: (slot, worker, death) => this.#died(slot, worker, death),
        gaveUp: (death) => this.#gaveUp(death),
        allEnded: () => this.#stop.allEnded(),
      },
    });
    this.#steward = new Steward((slot) => this.#supervisor.send(slot, { type: 'steward' }));
    this.#stop = new Stop({
      timeoutMs: config.drainTimeoutMs,
      log: this.#log,
      supervisor: this.#supervisor,
      inFlight: (slot) => this.#totals.inFlight(slot),
      begun: () => this.#updateReadiness(),
    });
    this.#admin = new Admin({
      metrics: () => this.#metrics(),
      readiness: () => this.#readiness,
      failed: (error) => this.#log.write('error', { err: error }, 'a request failed'),
    });
  }

  async run(): Promise<number> {
    const { host, port, workers } = this.#config;
    const removeListeners = this.#listenToProcess();
    let logLoaded: Promise<void> | undefined;
    try {
      await Promise.all([
        probePort({ host, port, hostEnv: 'FOREBAY_HOST', portEnv: 'FOREBAY_PORT' }),
        this.#admin.listen(adminEndpoint(this.#config)),
      ]);
      this.#supervisor.start();
      logLoaded = this.#log.load(this.#config);
      this.#log.write('info', { version: this.#version, host, port, workers }, 'started');
      return await this.#stop.ended;
    } finally {
      await logLoaded;
      clearTimeout(this.#notReadyLine);
      removeListeners();
      await this.#admin.close();
    }
  }

  /** @returns what takes the listeners away again */
  #listenToProcess(): () => void {
    const onSignal = (signal: NodeJS.Signals) => this.#stop.signal(signal);
    const onError = (error: unknown) => {
      this.#log.last({ err: error }, 'a defect in the primary; it ends');
      // The workers end by themselves when their channel closes.
      process.exit(EXIT.failed);
    };
    process.on('SIGTERM', onSignal).on('SIGINT', onSignal).on('uncaughtException', onError);
    return () => {
      process.off('SIGTERM', onSignal).off('SIGINT', onSignal).off('uncaughtException', onError);
    };
  }

  /** A worker can be spoken to: it is told all that the others know. */
  #attached(slot: number): void {
    if (this.#stop.draining) {
      this.#stop.tell(slot);
      return;
    }
    this.#supervisor.send(slot, { type: 'readiness', readiness: this.#readiness });
    const { facts } = this.#steward;
    if (facts !== undefined) this.#supervisor.send(slot, { type: 'topicFacts', facts });
    this.#steward.workerUp(slot);
  }

  #message(slot: number, worker: number, message: ToPrimary): void {
    switch (message.type) {
      case 'snapshot':
        this.#totals.take(slot, worker, message.values);
        this.#statuses[slot - 1] = message.status;
        this.#updateReadiness();
        break;
      case 'topicMissing':
        this.#steward.topicMissing();
        break;
      case 'topicFacts':
        if (this.#steward.found(message.facts)) this.#supervisor.broadcast(message);
        break;
      case 'drained':
        this.#stop.drained(slot, message.left);
        break;
      case 'fatal':
        this.#stop.fatal(slot, new StartError(message.message, message.exitCode));
        break;
    }
  }

  #died(slot: number, worker: number, death: Death): void {
    const expected = this.#stop.died(slot, death.listened);
    const lost = this.#totals.retire(slot, worker, 'crash');
    this.#statuses[slot - 1] = undefined;
    this.#steward.workerDown(slot, this.#supervisor.attached());
    this.#updateReadiness();
    if (death.restartMs !== undefined) this.#restarts++;
    if (expected) return;
    const { pid, exitCode, signal, restartMs } = death;
    const fields = { worker: slot, workerPid: pid, cause: 'crash', exitCode, signal, lost };
    const then = restartMs === undefined ? {} : { restartMs };
    this.#log.write('error', { ...fields, ...then }, 'worker died');
  }

  #gaveUp({ exitCode, signal }: Death): void {
    const how = signal === null ? `exit code ${exitCode}` : `signal ${signal}`;
    this.#stop.failed(
      new StartError(`giving up: workers die before they listen (${how})`, EXIT.failed),
    );
  }

  #updateReadiness(): void {
    const readiness = this.#gate.update(this.#statuses, this.#stop.draining);
    if (sameReadiness(readiness, this.#readiness)) return;
    this.#readiness = readiness;
    this.#supervisor.broadcast({ type: 'readiness', readiness });
    if (readiness.ready) this.#logReadiness();
    else this.#notReadyLine ??= setTimeout(() => this.#logReadiness(), NOT_READY_LINE_MS);
  }

  #logReadiness(): void {
    clearTimeout(this.#notReadyLine);
    this.#notReadyLine = undefined;
    if (this.#logged !== undefined && sameReadiness(this.#logged, this.#readiness)) return;
    this.#logged = this.#readiness;
    const { ready, reasons } = this.#readiness;
    const sinceStartMs = Math.round(process.uptime() * 1000);
    if (ready) this.#log.write('info', { sinceStartMs }, 'ready');
    else if (!this.#stop.draining) this.#log.write('warn', { reasons }, 'not ready');
  }

  async #metrics(): Promise<{ contentType: string; text: string }> {
    // Loaded at the first scrape: it would only delay the start.
    this.#registry ??= import('./registry.ts').then(({ buildRegistry }) =>
      buildRegistry(this.#totals, {
        version: this.#version,
        draining: () => this.#stop.draining,
        workers: (state) => this.#supervisor.count(state),
        restarts: (cause) => (cause === 'crash' ? this.#restarts : 0),
      }),
    );
    const registry = await this.#registry;
    return { contentType: registry.contentType, text: await registry.metrics() };
  }
}

function adminEndpoint({ adminHost, adminPort }: Config): Endpoint {
  return {
    host: adminHost,
    port: adminPort,
    hostEnv: 'FOREBAY_ADMIN_HOST',
    portEnv: 'FOREBAY_ADMIN_PORT',
  };
}
