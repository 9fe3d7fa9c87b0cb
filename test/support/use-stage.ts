/** Setup that test files share. It begins before the tests and ends with the file. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before } from 'node:test';
import { FrameClient } from '../../testing/frame-client.ts';
import { Stage, type StageOptions } from '../../testing/stage.ts';

export interface UseStageOptions extends StageOptions {
  /** `kill` for gateways that a test leaves draining or overloaded; `stop` by default. */
  readonly end?: 'stop' | 'kill';
}

/** Undefined = no stage, for files whose tests are skipped. */
type MakeOptions = () => UseStageOptions | undefined | Promise<UseStageOptions | undefined>;

export class FileStage extends Stage {
  readonly #makeOptions: MakeOptions;
  readonly #ends: (() => unknown)[] = [];
  #end: 'stop' | 'kill' = 'stop';
  #opened!: (isOpen: boolean) => void;
  readonly #isOpen = new Promise<boolean>((resolve) => {
    this.#opened = resolve;
  });

  constructor(makeOptions: MakeOptions) {
    super();
    this.#makeOptions = makeOptions;
  }

  async start(): Promise<void> {
    try {
      const options = await this.#makeOptions();
      if (options !== undefined) await this.open(options);
      this.#end = options?.end ?? 'stop';
    } finally {
      this.#opened(this.gateway !== undefined);
    }
  }

  async end(): Promise<void> {
    for (const end of this.#ends) await end();
    await this.gateway?.[this.#end]();
  }

  /** Calls `start` once the gateway is ready: the `before` hooks of a file run concurrently. */
  atStart(start: () => unknown): void {
    before(async () => {
      if (await this.#isOpen) await start();
    });
  }

  /** Calls `end` before the gateway ends; the last one is called first. */
  atEnd(end: () => unknown): void {
    this.#ends.unshift(end);
  }
}

/** A stage for all tests of a file. @param options or a function that returns them */
export function useStage(options: UseStageOptions | MakeOptions = {}): FileStage {
  const stage = new FileStage(typeof options === 'function' ? options : () => options);
  before(() => stage.start());
  after(() => stage.end());
  return stage;
}

/** A client for all tests of a file. @param headers returns the headers of its handshake */
export function useFrameClient(
  stage: FileStage,
  headers: () => Record<string, string> = () => ({}),
): FrameClient {
  const client = new FrameClient();
  stage.atStart(async () => {
    await client.connect(stage.gateway.wsUrl, headers());
    stage.atEnd(() => client.close());
  });
  return client;
}

/** Returns the path of a schema that accepts any object. */
export function useAnyObjectSchema(): string {
  const folder = mkdtempSync(join(tmpdir(), 'forebay-schema-'));
  const path = join(folder, 'any-object.json');
  writeFileSync(path, '{"type":"object"}');
  after(() => rmSync(folder, { recursive: true }));
  return path;
}
