// Which record a free handler gets next, and how far the partitions are done. Pure: the shell adds records in the
// order of their offsets, starts what `next` gives, and says when a handler is finished.
//
// Records of one lane run one after the other: a lane is a partition, or one key of a partition (records without a
// key have no order to keep among themselves). A partition is processed up to its oldest record that is not done.

import type { Offset } from "@millrace/protocol";
import type { ConsumerRecord } from "./consumer-record.js";
import type { PartitionState } from "./partition-state.js";

export interface RunScheduleOptions {
  /** Handlers at a time. */
  readonly concurrency: number;
  readonly orderBy: "key" | "partition";
  /** Records taken in and not done. */
  readonly maxPendingRecords: number;
  /** Bytes of their keys and values; one record always fits. */
  readonly maxPendingBytes: number;
}

/** A record taken in. */
export interface RunTask {
  readonly record: ConsumerRecord;
  readonly place: PartitionState;
  readonly generation: number;
  readonly bytes: number;
  readonly lane: unknown;
  state: "waiting" | "running" | "done";
}

/** What is taken in of one partition and not done. */
interface PartitionProgress {
  /** In the order of their offsets; the first is not done. */
  readonly tasks: RunTask[];
  generation: number;
  /** Behind the last record, and the empty offsets after it. */
  readTo: Offset;
  pendingRecords: number;
  pendingBytes: number;
}

export class RunSchedule {
  readonly #options: RunScheduleOptions;
  readonly #progress = new Map<PartitionState, PartitionProgress>();
  /** Tasks of each lane that is not empty; the first of a lane that is not ready is running. */
  readonly #lanes = new Map<unknown, RunTask[]>();
  readonly #readyLanes = new Set<unknown>();
  #running = 0;

  constructor(options: RunScheduleOptions) {
    this.#options = options;
  }

  get runningCount(): number {
    return this.#running;
  }

  /** Whether another record may be taken in. What a paused partition holds back counts for nobody. */
  get hasRoom(): boolean {
    let records = 0;
    let bytes = 0;
    for (const [state, progress] of this.#progress) {
      if (!state.isPaused) {
        records += progress.pendingRecords;
        bytes += progress.pendingBytes;
      }
    }
    const { maxPendingRecords, maxPendingBytes } = this.#options;
    return records < maxPendingRecords && bytes < maxPendingBytes;
  }

  /** Takes in the next record of its partition. */
  add(state: PartitionState, record: ConsumerRecord): void {
    const bytes = (record.key?.length ?? 0) + (record.value?.length ?? 0);
    const lane = this.#laneOf(state, record);
    const { generation } = state;
    const task: RunTask = { record, place: state, generation, bytes, lane, state: "waiting" };
    const progress = this.#progressOf(state);
    progress.tasks.push(task);
    progress.readTo = record.offset + 1;
    progress.pendingRecords++;
    progress.pendingBytes += bytes;
    const queue = this.#lanes.get(lane);
    if (queue === undefined) {
      this.#lanes.set(lane, [task]);
      this.#readyLanes.add(lane);
    } else {
      queue.push(task);
    }
  }

  /** No record is left before `offset`: the rest of a batch was empty. */
  readTo(state: PartitionState, offset: Offset): void {
    const progress = this.#progressOf(state);
    progress.readTo = Math.max(progress.readTo, offset);
    this.#advance(state, progress);
  }

  /** The record for a free handler, now running; undefined when none is free, or none may run. */
  next(): RunTask | undefined {
    if (this.#running >= this.#options.concurrency) {
      return undefined;
    }
    for (const lane of this.#readyLanes) {
      const task = this.#head(lane);
      if (task !== undefined && !task.place.isPaused) {
        this.#readyLanes.delete(lane);
        this.#running++;
        task.state = "running";
        return task;
      }
    }
    return undefined;
  }

  /** The handler is done with what `next` gave. */
  finish(task: RunTask): void {
    this.#running--;
    task.state = "done";
    this.#shift(task.lane);
    const progress = this.#progress.get(task.place);
    if (progress !== undefined && progress.generation === task.generation) {
      progress.pendingRecords--;
      progress.pendingBytes -= task.bytes;
      this.#advance(task.place, progress);
    }
  }

  /** The handler of what `next` gave failed: its partition is processed up to this record and no further. */
  fail(task: RunTask): void {
    this.#running--;
    this.#shift(task.lane);
  }

  /** Partitions with records taken in and not done. */
  *unfinished(): Iterable<PartitionState> {
    for (const [state, { tasks, generation }] of this.#progress) {
      if (tasks.length > 0 && generation === state.generation) {
        yield state;
      }
    }
  }

  #laneOf(state: PartitionState, record: ConsumerRecord): unknown {
    if (this.#options.orderBy === "partition") {
      return state;
    }
    const key = record.keyText();
    return key === null ? record : `${state.key}/${key}`;
  }

  /** Begins again where the consumer was sent elsewhere. */
  #progressOf(state: PartitionState): PartitionProgress {
    const { generation } = state;
    const progress = this.#progress.get(state);
    if (progress !== undefined && progress.generation === generation) {
      return progress;
    }
    for (const task of progress?.tasks ?? []) {
      this.#forget(task);
    }
    const fresh = { tasks: [], generation, readTo: -1, pendingRecords: 0, pendingBytes: 0 };
    this.#progress.set(state, fresh);
    return fresh;
  }

  /** A task that no handler has and none shall get. */
  #forget(task: RunTask): void {
    const queue = this.#lanes.get(task.lane);
    const index = queue?.indexOf(task) ?? -1;
    if (queue === undefined || index < 0 || task.state !== "waiting") {
      return;
    }
    queue.splice(index, 1);
    if (queue.length === 0) {
      this.#lanes.delete(task.lane);
      this.#readyLanes.delete(task.lane);
    }
  }

  #advance(state: PartitionState, progress: PartitionProgress): void {
    const { tasks } = progress;
    let doneCount = 0;
    while (tasks[doneCount]?.state === "done") {
      doneCount++;
    }
    tasks.splice(0, doneCount);
    if (progress.generation === state.generation) {
      state.processed(tasks[0]?.record.offset ?? progress.readTo);
    }
  }

  /** The lane's first task that still counts; those for a place the consumer has left are dropped. */
  #head(lane: unknown): RunTask | undefined {
    const queue = this.#lanes.get(lane);
    while (queue !== undefined) {
      const task = queue[0];
      if (task === undefined) {
        this.#lanes.delete(lane);
        this.#readyLanes.delete(lane);
        return undefined;
      }
      if (task.generation === task.place.generation) {
        return task;
      }
      queue.shift();
    }
    return undefined;
  }

  #shift(lane: unknown): void {
    const queue = this.#lanes.get(lane);
    queue?.shift();
    if (queue === undefined || queue.length === 0) {
      this.#lanes.delete(lane);
    } else {
      this.#readyLanes.add(lane);
    }
  }
}
