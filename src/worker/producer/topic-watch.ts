/**
 * Credibility of metadata about one topic. Pure code: no network, no clock.
 *
 * A topic never loses partitions, but another topic may take its name. Its partitions are adopted
 * at once if its id differs, or if the topic was missing before. Otherwise, fewer partitions are
 * accepted when more than one broker reports them, or when one broker does for a while: a single
 * response may come from a broker that does not know all partitions yet. The same holds for the id
 * of a former topic, since ids have no order.
 */
import { LIMITS } from '../../config/limits.ts';
import { UNKNOWN_TOPIC_OR_PARTITION } from './error-table.ts';

/** Remembered ids of former topics; a response with one of them is probably outdated. */
const FORMER_IDS_MAX = 16;

/** One broker's response about the topic. */
export interface TopicAnswer {
  readonly topicErrorCode: number;
  readonly topicId?: string;
  readonly partitionMetadata: readonly { readonly partitionId: number; readonly leader: number }[];
}

/** Origin of an answer. */
export interface AnswerOrigin {
  /** Broker id; undefined = address that no broker advertises. */
  readonly broker: number | undefined;
  /** Number of brokers in the response. */
  readonly brokers: number;
}

export type Finding =
  | { readonly state: 'missing' }
  | { readonly state: 'failed'; readonly errorCode: number }
  /** Describes a former topic of this name. */
  | { readonly state: 'stale' }
  | {
      readonly state: 'known';
      /** Broker id of each partition's leader, by partition; -1 = none now. */
      readonly leaders: readonly number[];
      /** Recreated since the last finding, as far as the response shows. */
      readonly recreated: boolean;
      /** The response reports fewer partitions than before, which are not accepted yet. */
      readonly doubtful: boolean;
    };

/** Consecutive responses that agree on fewer partitions, or on the id of a former topic. */
interface Contradiction {
  readonly count: number;
  readonly topicId: string | undefined;
  readonly sinceMs: number;
  answers: number;
  readonly brokers: Set<number>;
}

export class TopicWatch {
  #count = 0;
  #id: string | undefined;
  readonly #formerIds: string[] = [];
  #wasMissing = false;
  #contradiction: Contradiction | undefined;

  evaluate(answer: TopicAnswer, origin: AnswerOrigin, nowMs: number): Finding {
    const { topicErrorCode: errorCode, topicId } = answer;
    if (errorCode === UNKNOWN_TOPIC_OR_PARTITION) {
      this.#wasMissing = true;
      this.#contradiction = undefined;
      return { state: 'missing' };
    }
    if (errorCode !== 0) return { state: 'failed', errorCode };
    const count = answer.partitionMetadata.length;
    const isFormer = topicId !== undefined && this.#formerIds.includes(topicId);
    const knowsId = topicId !== undefined && this.#id !== undefined;
    const isAnother = knowsId ? topicId !== this.#id : this.#wasMissing;
    // No topic has zero partitions: that broker does not know them yet.
    const isNew = isAnother && !isFormer && count > 0;
    const contradicts = isFormer || count === 0 || (count < this.#count && !isNew);
    const accepted = !contradicts || this.#agree(answer, knowsId && !isFormer, origin, nowMs);
    if (isFormer && !accepted) return { state: 'stale' };
    const recreated = this.#count > 0 && (isNew || (contradicts && accepted));
    if (accepted) {
      this.#count = count;
      this.#contradiction = undefined;
      this.#remember(topicId);
    }
    if (count > 0) this.#wasMissing = false;
    const leaders = new Array<number>(this.#count).fill(-1);
    for (const { partitionId, leader } of answer.partitionMetadata) {
      // An id beyond the count means that the response omits partitions.
      if (partitionId < this.#count) leaders[partitionId] = leader;
    }
    return { state: 'known', leaders, recreated, doubtful: !accepted };
  }

  /** @returns whether enough consecutive responses agree on an id and a partition count */
  #agree(
    { topicId, partitionMetadata }: TopicAnswer,
    sameId: boolean,
    { broker, brokers }: AnswerOrigin,
    nowMs: number,
  ): boolean {
    const count = partitionMetadata.length;
    if (count === 0) return false;
    if (this.#contradiction?.count !== count || this.#contradiction.topicId !== topicId) {
      this.#contradiction = { count, topicId, sinceMs: nowMs, answers: 0, brokers: new Set() };
    }
    const contradiction = this.#contradiction;
    contradiction.answers++;
    if (broker !== undefined) contradiction.brokers.add(broker);
    const { answers, steadyMs, aloneMs } = LIMITS.fewerPartitions;
    const lastsMs = contradiction.answers >= answers ? nowMs - contradiction.sinceMs : 0;
    const several = contradiction.brokers.size > 1;
    // The same id suggests an outdated view, even if brokers share it.
    if (several && !sameId) return true;
    return lastsMs >= (several || brokers === 1 ? steadyMs : aloneMs);
  }

  #remember(topicId: string | undefined): void {
    if (topicId === undefined || topicId === this.#id) return;
    const former = this.#formerIds.indexOf(topicId);
    if (former >= 0) this.#formerIds.splice(former, 1);
    if (this.#id !== undefined) this.#formerIds.push(this.#id);
    if (this.#formerIds.length > FORMER_IDS_MAX) this.#formerIds.shift();
    this.#id = topicId;
  }
}
