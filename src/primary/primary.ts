/**
 * The primary process: forks the workers, keeps them alive, aggregates their metrics, serves
 * operators. This file connects its parts, and contains the decisions that concern several of them.
 * Invariant: the primary never handles an event.
 *
 *   workers --messages--> supervisor --> metric totals --> registry  --> admin /metrics
 *                                                      --> live view --> admin /
 *                                    --> readiness     --> admin /readyz, and back to the workers
 *                                    --> topic admin   --> elects the worker to administer topics
 *                                    --> liveness      --> kills unresponsive workers
 *   SIGTERM, SIGINT, POST /drain      --> stop.ts: drain, deadline, exit code
 *   SIGHUP, POST /workers/restart     --> rolling-restart.ts: new workers, one by one
 */
import { EXIT, StartError } from '../common/errors.ts';
import type { Config } from '../config/config.ts';
import type { FileWarnings } from '../config/file-check.ts';
import { LIMITS } from '../config/limits.ts';
import type { OutageNotice, Readiness, ToPrimary, ToWorker, WorkerStatus } from '../ipc.ts';
import { implicitStream } from '../streams/implicit-stream.ts';
import { DEFAULT_STREAM, type StreamFile } from '../streams/stream-file.ts';
import { Admin } from './admin.ts';
import { readAdminToken } from './commands.ts';
import { CurrentStreams } from './current-streams.ts';
import { DeferredLog } from './deferred-log.ts';
import { FaultLog } from './fault-log.ts';
import { KeyFiles } from './key-files.ts';
import { InstanceKeyOutcomes } from './key-outcomes.ts';
import type { LiveView } from './live-view/live-view.ts';
import { sendersOf } from './live-view/sender-rows.ts';
import { Liveness } from './liveness.ts';
import { MetricTotals, type WorkerCause } from './metric-totals.ts';
import type { PrimaryOptions } from './options.ts';
import { Outage } from './outage.ts';
import { noticeOf, sameNotice } from './outage-notice.ts';
import { adminEndpoint, probePort } from './ports.ts';
import { listenToProcess } from './process-events.ts';
import { ReadinessCheck, sameReadiness } from './readiness-check.ts';
import { ReadinessLog } from './readiness-log.ts';
import { RollingRestart } from './rolling-restart.ts';
import { logReloadedSchema, logSchema } from './schema-log.ts';
import { Scrape } from './scrape.ts';
import { SlotAssignment } from './slot-assignment.ts';
import { logStart } from './start-log.ts';
import { Stop } from './stop.ts';
import { StreamMetrics } from './stream-metrics.ts';
import { type Death, Supervisor } from './supervisor.ts';
import { TailViewers } from './tail/tail-viewers.ts';
import { TopicAdminElection } from './topic-admin-election.ts';
import { InstanceViolations } from './violations.ts';
import { workerEnvironment } from './worker-env.ts';

const NOT_REPLACED = 'worker not replaced, it runs in the process of the primary';

/**
 * Runs the primary until a signal or a failure; returns after all workers have exited.
 * @returns the exit code
 * @throws StartError if the instance fails to start, or if no worker can run
 */
export async function runPrimary(config: Config, options: PrimaryOptions): Promise<number> {
  const files = await options.checkFiles();
  return new Primary(config, options, files.streams?.file).run(files);
}

class Primary {
  readonly #config: Config;
  readonly #options: PrimaryOptions;
  readonly #slots: SlotAssignment;
  readonly #streams: CurrentStreams;
  readonly #log: DeferredLog;
  readonly #totals: MetricTotals;
  readonly #readinessCheck = new ReadinessCheck();
  readonly #readinessLog: ReadinessLog;
  readonly #faultLog: FaultLog;
  readonly #outage: Outage;
  #outageNotice: OutageNotice | undefined;
  readonly #supervisor: Supervisor;
  readonly #topicAdmins: TopicAdminElection;
  readonly #liveness: Liveness;
  readonly #stop: Stop;
  readonly #rollingRestart: RollingRestart;
  readonly #violations = new InstanceViolations();
  readonly #keyOutcomes = new InstanceKeyOutcomes();
  #liveView: LiveView | undefined;
  readonly #tail: TailViewers;
  readonly #admin: Admin;
  readonly #keyFiles: KeyFiles;
  readonly #statuses = new Map<number, WorkerStatus>();
  #readiness: Readiness;
  readonly #restarts: Record<WorkerCause, number> = { crash: 0, hang: 0 };

  constructor(config: Config, options: PrimaryOptions, streams: StreamFile | undefined) {
    this.#config = config;
    this.#options = options;
    const log = new DeferredLog(options.singleProcess?.name);
    this.#log = log;
    this.#readinessLog = new ReadinessLog(log, () => this.#stop.announced);
    this.#faultLog = new FaultLog(log);
    this.#slots = SlotAssignment.of(config, streams);
    this.#totals = new MetricTotals(config.workers);
    this.#supervisor = this.#createSupervisor(options.exec);
    const supervisor = this.#supervisor;
    const broadcast = (message: ToWorker) => supervisor.broadcast(message);
    this.#streams = new CurrentStreams({
      file: streams,
      path: config.streamsFile,
      keys: () => this.#keyFiles.message?.keys,
      load: options.loadStreams,
      registry: options.registry,
      log,
      slots: this.#slots,
      metrics: new StreamMetrics(streams ?? implicitStream(config), streams !== undefined),
      broadcast,
      topicsAdded: (topics) => this.#topicAdmins.topicsAdded(topics),
    });
    const { eventTimeoutMs } = config;
    this.#outage = new Outage({ log, eventTimeoutMs, ended: () => this.#faultLog.forget() });
    this.#keyFiles = new KeyFiles(config, log, broadcast, this.#slots);
    this.#readiness = this.#readinessCheck.update(this.#servingStatuses(), false);
    this.#liveness = new Liveness(config.workerTimeoutMs, (worker) => this.#killHung(worker));
    this.#topicAdmins = new TopicAdminElection((worker, topic) =>
      supervisor.send(worker, { type: 'topicAdmin', topic }),
    );
    this.#stop = new Stop({
      prestopMs: config.prestopMs,
      timeoutMs: config.drainTimeoutMs,
      log,
      supervisor,
      inFlight: (worker) => this.#totals.inFlight(worker),
      announced: () => this.#updateReadiness(),
      begun: () => {
        this.#rollingRestart.stop();
        this.#updateReadiness();
      },
    });
    this.#rollingRestart = new RollingRestart({
      drainTimeoutMs: config.drainTimeoutMs,
      startTimeoutMs: config.workerTimeoutMs * LIMITS.startTimeouts,
      log,
      supervisor,
      handedOver: (worker) => {
        this.#topicAdmins.workerDown(worker, supervisor.staying());
        this.#updateReadiness();
      },
    });
    const scrape = new Scrape(this.#totals, {
      version: options.version,
      transport: options.transport,
      draining: () => this.#stop.announced,
      workers: (state) => supervisor.count(state),
      restarts: (cause) => this.#restarts[cause],
      slots: this.#slots,
      streams: this.#streams.metrics,
      schemas: this.#streams.registered,
    });
    this.#tail = new TailViewers({
      streams: () => this.#streams.names ?? [DEFAULT_STREAM],
      redaction: config.tailRedact,
      outage: () => this.#outageNotice?.effect,
      waiting: () => supervisor.alive().reduce((sum, id) => sum + this.#totals.inFlight(id), 0),
      changed: (viewers) => broadcast({ type: 'tail', viewers }),
      log,
    });
    this.#admin = new Admin({
      host: config.adminHost,
      hosts: config.adminHosts,
      token: readAdminToken(config),
      tail: this.#tail,
      tailAccess: config.tail,
      metrics: () => scrape.read(),
      readiness: () => this.#readiness,
      version: options.version,
      transport: options.transport,
      routes: options.singleProcess?.routes,
      streams: () => this.#streams.description,
      violations: () => this.#violations.list(),
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
      createWorker: this.#options.singleProcess?.createWorker,
      slots: this.#config.workers,
      env: workerEnvironment(this.#config, this.#options.transport),
      hooks: {
        forked: (slot, worker) => {
          this.#totals.begin(slot, worker);
          this.#liveness.begin(worker);
        },
        attached: (worker) => this.#attached(worker),
        message: (slot, worker, message) => this.#message(slot, worker, message),
        died: (slot, worker, death) => this.#died(slot, worker, death),
        gaveUp: (death) => this.#gaveUp(death),
        allEnded: () => this.#stop.allEnded(),
      },
    });
  }

  /** Loads the live view while the workers start: loading it first would delay them. */
  async #loadLiveView(): Promise<void> {
    const { LiveView } = await import('./live-view/live-view.ts');
    const { kafkaTopic: topic, kafkaBrokers: brokers, tail } = this.#config;
    const about = { version: this.#options.version, topic, brokers, tail: tail !== '0' };
    this.#liveView = LiveView.of(this.#totals, about, {
      readiness: () => this.#readiness,
      outage: () => this.#outageNotice,
      restartFailure: () => this.#rollingRestart.failure,
      states: () => this.#supervisor.states(),
      restarts: (cause) => this.#restarts[cause],
      streams: () => this.#streams.metrics.infos,
      senders: () => sendersOf(this.#slots.keys, this.#keyFiles.message?.keys),
      keyStreams: () => this.#keyOutcomes.rows(),
      violations: this.#violations,
    }).start();
  }

  async run(fileWarnings: FileWarnings): Promise<number> {
    const { host, port } = this.#config;
    const removeListeners = listenToProcess({
      stop: (signal) => this.#stop.signal(signal),
      restart: (signal) => this.#restartWorkers(signal),
      uncaught: (error) => {
        this.#log.last({ err: error }, 'internal error in the primary, exiting');
        // The workers exit when their channel closes.
        process.exit(EXIT.failed);
      },
    });
    let loaded: Promise<unknown> | undefined;
    try {
      await Promise.all([
        probePort({ host, port, hostEnv: 'FOREBAY_HOST', portEnv: 'FOREBAY_PORT' }),
        this.#admin.listen(adminEndpoint(this.#config)),
      ]);
      this.#supervisor.start();
      this.#liveness.start();
      this.#keyFiles.start();
      this.#streams.start();
      loaded = Promise.all([this.#log.load(this.#config), this.#loadLiveView()]);
      logStart(this.#log, this.#config, this.#options, this.#streams.names);
      logSchema(this.#log, fileWarnings);
      this.#streams.logWarnings(fileWarnings.streams);
      return await this.#stop.ended;
    } finally {
      await loaded;
      this.#readinessLog.end();
      this.#liveness.stop();
      this.#keyFiles.stop();
      this.#streams.stop();
      this.#liveView?.stop();
      this.#tail.stop();
      removeListeners();
      await this.#admin.close();
    }
  }

  #restartWorkers(cause: string): 'begun' | 'queued' | 'draining' {
    if (this.#stop.announced) {
      this.#log.write('warn', { cause }, 'rolling restart ignored, instance is stopping');
      return 'draining';
    }
    void this.#streams.reread();
    logReloadedSchema(this.#log, this.#options.checkFiles);
    if (this.#options.singleProcess !== undefined) {
      this.#log.write('warn', { cause }, NOT_REPLACED);
      return 'begun';
    }
    return this.#rollingRestart.request(cause);
  }

  /** Sends the current state to a worker that has begun to receive messages. */
  #attached(worker: number): void {
    // Without them, it could not even stop.
    const { message: streams } = this.#streams;
    if (streams !== undefined) this.#supervisor.send(worker, streams);
    if (this.#stop.draining) return this.#stop.drainWorker(worker);
    const state = { readiness: this.#readiness, outage: this.#outageNotice };
    this.#supervisor.send(worker, { type: 'readiness', ...state });
    const { message } = this.#keyFiles;
    if (message !== undefined) this.#supervisor.send(worker, message);
    for (const facts of this.#topicAdmins.facts) {
      this.#supervisor.send(worker, { type: 'topicFacts', facts });
    }
    this.#supervisor.send(worker, { type: 'tail', viewers: this.#tail.viewers });
    this.#topicAdmins.workerUp(worker);
  }

  #message(slot: number, worker: number, message: ToPrimary): void {
    this.#liveness.received(worker);
    switch (message.type) {
      case 'snapshot':
        this.#slots.check(message.metrics);
        this.#totals.update(worker, message.metrics);
        this.#statuses.set(worker, message.status);
        this.#violations.update(message.violations);
        this.#keyOutcomes.update(message.keyOutcomes);
        this.#rollingRestart.status(worker, message.status);
        this.#outage.update(this.#servingStatuses());
        this.#updateReadiness();
        break;
      case 'fault':
        this.#faultLog.report(slot, message.fault);
        break;
      case 'tail':
        this.#tail.report(message.report);
        break;
      case 'topicMissing':
        this.#topicAdmins.topicMissing(message.topic);
        break;
      case 'topicRecreated':
        this.#topicAdmins.topicRecreated(message.topic);
        break;
      case 'topicFacts':
        this.#topicAdmins.found(message.facts);
        this.#supervisor.broadcast(message);
        break;
      case 'streamsApplied':
        this.#streams.applied(worker, message.version, message.failure);
        break;
      case 'drained':
        this.#stop.drained(worker, message.left);
        this.#rollingRestart.drained(worker, message.left);
        break;
      case 'fatal':
        this.#fatal(slot, worker, new StartError(message.message, message.exitCode));
        break;
    }
  }

  /**
   * Handles a worker that fails to start and exits. If another worker serves, the instance
   * continues, and the slot retries; otherwise the instance stops.
   */
  #fatal(slot: number, worker: number, error: StartError): void {
    const { message: reason } = error;
    if (this.#supervisor.serving()[slot - 1] !== worker)
      return this.#rollingRestart.fatal(worker, reason);
    const others = this.#servingStatuses().filter((_, index) => index !== slot - 1);
    const serves = others.some((status) => status?.listening && status.kafkaReached);
    if (!serves && !this.#stop.draining) return this.#stop.failed(error);
    const workerPid = this.#supervisor.pid(worker);
    this.#log.write('error', { worker: slot, workerPid, reason }, 'worker failed to start');
  }

  #killHung(worker: number): void {
    const workerPid = this.#supervisor.pid(worker);
    this.#log.write('error', { workerPid }, 'unresponsive worker killed');
    this.#supervisor.kill(worker, 'hang');
  }

  #died(slot: number, worker: number, death: Death): void {
    const { pid, exitCode, signal, restartMs, cause } = death;
    this.#liveness.end(worker);
    this.#streams.gone(worker);
    const stopping = this.#stop.died(worker, death.listened);
    const lost = this.#totals.retire(worker, cause);
    this.#statuses.delete(worker);
    this.#topicAdmins.workerDown(worker, this.#supervisor.staying());
    const rolling = this.#rollingRestart.died(worker, lost);
    this.#updateReadiness();
    if (restartMs !== undefined) this.#restarts[cause]++;
    if (stopping || rolling) return;
    const fields = { worker: slot, workerPid: pid, cause, exitCode, signal, lost, restartMs };
    this.#log.write('error', fields, 'worker died');
    this.#tail.workerDied();
  }

  #gaveUp({ exitCode, signal }: Death): void {
    const how = signal === null ? `exit code ${exitCode}` : `signal ${signal}`;
    this.#stop.failed(
      new StartError(`giving up: workers exit before they listen (${how})`, EXIT.failed),
    );
  }

  /** Returns the status of the serving worker of each slot. */
  #servingStatuses(): (WorkerStatus | undefined)[] {
    return this.#supervisor
      .serving()
      .map((worker) => (worker === undefined ? undefined : this.#statuses.get(worker)));
  }

  #updateReadiness(): void {
    const { announced } = this.#stop;
    const readiness = this.#readinessCheck.update(this.#servingStatuses(), announced);
    const outage = noticeOf(this.#outage.current);
    const isKnown = sameNotice(outage, this.#outageNotice);
    if (isKnown && sameReadiness(readiness, this.#readiness)) return;
    this.#readiness = readiness;
    this.#outageNotice = outage;
    this.#supervisor.broadcast({ type: 'readiness', readiness, outage });
    this.#readinessLog.update(readiness);
  }
}
