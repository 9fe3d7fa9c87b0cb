import type { ReloadResult } from '../metrics/labels.ts';
import { NO_STREAM } from '../metrics/slots.ts';
import type { StreamFile } from '../streams/stream-file.ts';

/** Labels of a stream's info series. */
export interface StreamInfo {
  readonly stream: string;
  /** Empty for {@link NO_STREAM}. */
  readonly topic: string;
  /** Empty if the stream file names none. */
  readonly owner: string;
}

/** Metrics of the streams in use: topics and owners, version, and results of reloads. */
export class StreamMetrics {
  /** Also of removed streams: joins with their series still find topic and owner. */
  readonly #infos = new Map<string, StreamInfo>();
  readonly #reloads: Record<ReloadResult, number> = { applied: 0, rejected: 0 };
  #version: number;

  /** @param areDeclared whether `file` was read from a stream file */
  constructor(file: StreamFile, areDeclared: boolean) {
    this.#version = areDeclared ? 1 : 0;
    if (areDeclared) this.#infos.set(NO_STREAM, { stream: NO_STREAM, topic: '', owner: '' });
    this.#describe(file);
  }

  /** Version of the stream file in use, from 1; 0 = none. */
  get version(): number {
    return this.#version;
  }

  /** In the order of their slots: SlotAssignment has assigned them in the same order. */
  get infos(): readonly StreamInfo[] {
    return [...this.#infos.values()];
  }

  get reloads(): Readonly<Record<ReloadResult, number>> {
    return this.#reloads;
  }

  /** Records that a version of the stream file is sent to the workers. */
  applied(version: number, file: StreamFile): void {
    this.#version = version;
    this.#reloads.applied++;
    this.#describe(file);
  }

  /** Records that a stream file has errors, and that the previous one stays in use. */
  rejected(): void {
    this.#reloads.rejected++;
  }

  #describe({ streams }: StreamFile): void {
    for (const { name: stream, topic, owner = '' } of streams) {
      this.#infos.set(stream, { stream, topic, owner });
    }
  }
}
