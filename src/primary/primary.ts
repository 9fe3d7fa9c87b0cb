/**
 * The primary: forks the workers, keeps them alive, adds up their numbers, serves operators.
 * This file wires its parts and holds what they decide together. One invariant rules it: it never
 * touches an event.
 *
 *   workers --messages--> supervisor --> totals     --> registry --> admin /metrics
 *                                    --> readiness  --> admin /readyz, and back to the workers
 *                                    --> steward    --> one worker looks after the topics
 *                        totals      --> live view  --> admin /, for people
 *                                    --> hang watch --> kills who is silent
 *   SIGTERM, SIGINT, POST /drain      --> stop.ts: drain, deadline, exit code
 *   SIGHUP, POST /workers/restart     --> roll.ts: new workers, one by one
 */
import type { Registry } from 'prom-client';
import { EXIT, StartError } from '../common/errors.ts';
import { isLoopback } from '../common/ip-addresses.ts';
import { type Config, requiresAuthentication } from '../config/config.ts';
import type { FileWarnings } from '../config/file-check.ts';
import { LIMITS } from '../config/limits.ts';
import type { OutageNotice, Readiness, ToPrimary, WorkerStatus } from '../ipc.ts';
import { Admin } from './admin.ts';
import { readAdminToken } from './commands.ts';
import { PrimaryLog } from './deferred-log.ts';
import { FaultLog } from './fault-log.ts';
import { KeyFiles } from './key-files.ts';
import type { LiveView } from './live-view/live-view.ts';
import { HangWatch } from './liveness.ts';
import { Totals, type WorkerCause } from './metric-totals.ts';
import { Outage } from './outage.ts';
import { noticeOf, sameNotice } from './outage-notice.ts';
import { type Endpoint, probePort, urlOf } from './ports.ts';
import { ReadinessGate, sameReadiness } from './readiness.ts';
import { ReadinessLog } from './readiness-log.ts';
import { Roll } from './rolling-restart.ts';
import { logSchema, logSchemaAnew } from './schema-log.ts';
import { Stop } from './stop.ts';
import { type Death, Supervisor } from './supervisor.ts';
import { Steward } from './topic-admin.ts';
import { workerEnvironment } from './worker-env.ts';

export interface PrimaryOptions {
  /** File that the workers run. */
  readonly exec: string;
  readonly version: string;
  /** Lines for the log: what is doubtful in the environment, and hinders nothing. */
  readonly warnings: readonly string[];
  /** Reads the files that settings name. @throws StartError when one cannot be used */
  readonly checkFiles: () => Promise<FileWarnings>;
}

const OPEN = 'authentication is not configured, accepting any client';

/**
 * Serves until a signal or a failure ends it; no worker is left then.
 * @returns the exit code
 * @throws StartError when it cannot start, or when no worker can run
 */
export async function runPrimary(config: Config, options: PrimaryOptions): Promise<number> {
  const fileWarnings = await options.checkFiles();
  return new Primary(config, options).run(fileWarnings);
}

class Primary {
  readonly #config: Config;
  readonly #options: PrimaryOptions;
  readonly #log = new PrimaryLog();
  readonly #totals: Totals;
  readonly #gate = new ReadinessGate();
  readonly #readinessLog = new ReadinessLog(this.#log, () => this.#stop.announced);
  readonly #faultLog = new FaultLog(this.#log);
  readonly #outage: Outage;
  #notice: OutageNotice | undefined;
  readonly #supervisor: Supervisor;
  readonly #steward: Steward;
  readonly #hangWatch: HangWatch;
  readonly #stop: Stop;
  readonly #roll: Roll;
  #liveView: LiveView | undefined;
  readonly #admin: Admin;
  readonly #keyFiles: KeyFiles;
  readonly #statuses = new Map<number, WorkerStatus>();
  #readiness: Readiness;
  readonly #restarts: Record<WorkerCause, number> = { crash: 0, hang: 0 };
  #registry: Promise<Registry> | undefined;

  constructor(config: Config, options: PrimaryOptions) {
    this.#config = config;
    this.#options = options;
    this.#totals = new Totals(config.workers);
    this.#supervisor = this.#createSupervisor(options.exec);
    const log = this.#log;
    const supervisor = this.#supervisor;
    const { eventTimeoutMs } = config;
    this.#outage = new Outage({ log, eventTimeoutMs, ended: () => this.#faultLog.forget() });
    this.#keyFiles = new KeyFiles(config, log, (message) => supervisor.broadcast(message));
    this.#readiness = this.#gate.update(this.#servingStatuses(), false);
    this.#hangWatch = new HangWatch(config.workerTimeoutMs, (worker) => this.#hangs(worker));
    this.#steward = new Steward((worker, topic) =>
      supervisor.send(worker, { type: 'steward', topic }),
    );
    this.#stop = new Stop({
      prestopMs: config.prestopMs,
      timeoutMs: config.drainTimeoutMs,
      log,
      supervisor,
      inFlight: (worker) => this.#totals.inFlight(worker),
      announced: () => this.#updateReadiness(),
      begun: () => {
        this.#roll.stop();
        this.#updateReadiness();
      },
    });
    this.#roll = new Roll({
      drainTimeoutMs: config.drainTimeoutMs,
      startTimeoutMs: config.workerTimeoutMs * LIMITS.startTimeouts,
      log,
      supervisor,
      handedOver: (worker) => {
        this.#steward.workerDown(worker, supervisor.staying());
        this.#updateReadiness();
      },
    });
    this.#admin = new Admin({
      host: config.adminHost,
      hosts: config.adminHosts,
      token: readAdminToken(config),
      metrics: () => this.#metrics(),
      readiness: () => this.#readiness,
      version: options.version,
      liveView: { watch: (response) => this.#liveView?.watch(response) ?? false },
      drain: () => this.#stop.request('POST /drain'),
      restartWorkers: () => this.#restartWorkers('POST /workers/restart'),
      failed: (error) =>
        log.write('error', { err: error }, 'internal error while processing a request'),
    });
  }

  #createSupervisor(exec: string): Supervisor {
    return new Supervisor({
      exec,
      slots: this.#config.workers,
      env: workerEnvironment(this.#config),
      hooks: {
        forked: (slot, worker) => {
          this.#totals.begin(slot, worker);
          this.#hangWatch.begin(worker);
        },
        attached: (worker) => this.#attached(worker),
        message: (slot, worker, message) => this.#message(slot, worker, message),
        died: (slot, worker, death) => this.#died(slot, worker, death),
        gaveUp: (death) => this.#gaveUp(death),
        allEnded: () => this.#stop.allEnded(),
      },
    });
  }

  /** Loaded while the workers start: before, it would delay them. */
  async #loadLiveView(): Promise<void> {
    const { LiveView } = await import('./live-view/live-view.ts');
    const { kafkaTopic: topic, kafkaBrokers: brokers } = this.#config;
    const about = { version: this.#options.version, topic, brokers };
    this.#liveView = LiveView.of(this.#totals, about, {
      readiness: () => this.#readiness,
      outage: () => this.#notice,
      rollFailure: () => this.#roll.failure,
      states: () => this.#supervisor.states(),
      restarts: (cause) => this.#restarts[cause],
    });
    this.#liveView.start();
  }

  async run(fileWarnings: FileWarnings): Promise<number> {
    const { host, port, workers, kafkaTopic: topic, kafkaBrokers: brokers } = this.#config;
    const removeListeners = this.#listenToProcess();
    let loaded: Promise<unknown> | undefined;
    try {
      await Promise.all([
        probePort({ host, port, hostEnv: 'FOREBAY_HOST', portEnv: 'FOREBAY_PORT' }),
        this.#admin.listen(adminEndpoint(this.#config)),
      ]);
      this.#supervisor.start();
      this.#hangWatch.start();
      this.#keyFiles.start();
      loaded = Promise.all([this.#log.load(this.#config), this.#loadLiveView()]);
      const { version, warnings } = this.#options;
      const liveView = urlOf(adminEndpoint(this.#config));
      const kafka = { topic, brokers };
      this.#log.write('info', { version, host, port, workers, ...kafka, liveView }, 'started');
      for (const warning of warnings) this.#log.write('warn', {}, warning);
      logSchema(this.#log, fileWarnings);
      if (!isLoopback(host) && !requiresAuthentication(this.#config))
        this.#log.write('warn', { host }, OPEN);
      return await this.#stop.ended;
    } finally {
      await loaded;
      this.#readinessLog.end();
      this.#hangWatch.stop();
      this.#keyFiles.stop();
      this.#liveView?.stop();
      removeListeners();
      await this.#admin.close();
    }
  }

  /** @returns what takes the listeners away again */
  #listenToProcess(): () => void {
    const onSignal = (signal: NodeJS.Signals) => this.#stop.signal(signal);
    const onHangup = () => this.#restartWorkers('SIGHUP');
    const onError = (error: unknown) => {
      this.#log.last({ err: error }, 'internal error in the primary, exiting');
      // The workers end by themselves when their channel closes.
      process.exit(EXIT.failed);
    };
    process.on('SIGTERM', onSignal).on('SIGINT', onSignal).on('SIGHUP', onHangup);
    process.on('uncaughtException', onError);
    return () => {
      process.off('SIGTERM', onSignal).off('SIGINT', onSignal).off('SIGHUP', onHangup);
      process.off('uncaughtException', onError);
    };
  }

  #restartWorkers(cause: string): 'begun' | 'queued' | 'draining' {
    if (this.#stop.announced) {
      this.#log.write('warn', { cause }, 'rolling restart ignored, instance is stopping');
      return 'draining';
    }
    logSchemaAnew(this.#log, this.#options.checkFiles);
    return this.#roll.request(cause);
  }

  /** A worker can be spoken to: it is told all that the others know. */
  #attached(worker: number): void {
    if (this.#stop.draining) {
      this.#stop.tell(worker);
      return;
    }
    const [readiness, outage] = [this.#readiness, this.#notice];
    this.#supervisor.send(worker, { type: 'readiness', readiness, outage });
    const { message } = this.#keyFiles;
    if (message !== undefined) this.#supervisor.send(worker, message);
    for (const facts of this.#steward.facts) {
      this.#supervisor.send(worker, { type: 'topicFacts', facts });
    }
    this.#steward.workerUp(worker);
  }

  #message(slot: number, worker: number, message: ToPrimary): void {
    this.#hangWatch.heard(worker);
    switch (message.type) {
      case 'snapshot':
        this.#totals.take(worker, message.values);
        this.#statuses.set(worker, message.status);
        this.#roll.status(worker, message.status);
        this.#outage.update(this.#servingStatuses());
        this.#updateReadiness();
        break;
      case 'fault':
        this.#faultLog.take(slot, message.fault);
        break;
      case 'topicMissing':
        this.#steward.topicMissing(message.topic);
        break;
      case 'topicRecreated':
        this.#steward.topicRecreated(message.topic);
        break;
      case 'topicFacts':
        this.#steward.found(message.facts);
        this.#supervisor.broadcast(message);
        break;
      case 'drained':
        this.#stop.drained(worker, message.left);
        this.#roll.drained(worker, message.left);
        break;
      case 'fatal':
        this.#fatal(slot, worker, new StartError(message.message, message.exitCode));
        break;
    }
  }

  /** A worker cannot run, and ends: where others serve they go on, and its slot tries again. */
  #fatal(slot: number, worker: number, error: StartError): void {
    const { message: reason } = error;
    if (this.#supervisor.serving()[slot - 1] !== worker) return this.#roll.fatal(worker, reason);
    const others = this.#servingStatuses().filter((_, index) => index !== slot - 1);
    const serves = others.some((status) => status?.listening && status.kafkaReached);
    if (!serves && !this.#stop.draining) return this.#stop.failed(error);
    const workerPid = this.#supervisor.pid(worker);
    this.#log.write('error', { worker: slot, workerPid, reason }, 'worker failed to start');
  }

  #hangs(worker: number): void {
    const workerPid = this.#supervisor.pid(worker);
    this.#log.write('error', { workerPid }, 'unresponsive worker killed');
    this.#supervisor.kill(worker, 'hang');
  }

  #died(slot: number, worker: number, death: Death): void {
    const { pid, exitCode, signal, restartMs, cause } = death;
    this.#hangWatch.end(worker);
    const stopping = this.#stop.died(worker, death.listened);
    const lost = this.#totals.retire(worker, cause);
    this.#statuses.delete(worker);
    this.#steward.workerDown(worker, this.#supervisor.staying());
    const rolling = this.#roll.died(worker, lost);
    this.#updateReadiness();
    if (restartMs !== undefined) this.#restarts[cause]++;
    if (stopping || rolling) return;
    const fields = { worker: slot, workerPid: pid, cause, exitCode, signal, lost, restartMs };
    this.#log.write('error', fields, 'worker died');
  }

  #gaveUp({ exitCode, signal }: Death): void {
    const how = signal === null ? `exit code ${exitCode}` : `signal ${signal}`;
    this.#stop.failed(
      new StartError(`giving up: workers exit before they listen (${how})`, EXIT.failed),
    );
  }

  /** One per slot: what the worker there says that serves. */
  #servingStatuses(): (WorkerStatus | undefined)[] {
    return this.#supervisor
      .serving()
      .map((worker) => (worker === undefined ? undefined : this.#statuses.get(worker)));
  }

  #updateReadiness(): void {
    const readiness = this.#gate.update(this.#servingStatuses(), this.#stop.announced);
    const outage = noticeOf(this.#outage.current);
    if (sameReadiness(readiness, this.#readiness) && sameNotice(outage, this.#notice)) return;
    this.#readiness = readiness;
    this.#notice = outage;
    this.#supervisor.broadcast({ type: 'readiness', readiness, outage });
    this.#readinessLog.update(readiness);
  }

  async #metrics(): Promise<{ contentType: string; text: string }> {
    // Loaded at the first scrape: it would only delay the start.
    this.#registry ??= import('./registry.ts').then(({ buildRegistry }) =>
      buildRegistry(this.#totals, {
        version: this.#options.version,
        draining: () => this.#stop.announced,
        workers: (state) => this.#supervisor.count(state),
        restarts: (cause) => this.#restarts[cause],
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
