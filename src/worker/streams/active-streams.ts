import type { StreamTable } from './stream-table.ts';

/** The streams that new frames, requests and handshakes use. A reload replaces them. */
export class ActiveStreams {
  table: StreamTable;

  constructor(table: StreamTable) {
    this.table = table;
  }

  /** See {@link StreamTable.areDeclared}, which no reload changes. */
  get areDeclared(): boolean {
    return this.table.areDeclared;
  }
}
