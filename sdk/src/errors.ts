// What goes wrong, as classes: every message says what is wrong and what to do about it.

import { OWN_FRAME } from "./script/frame.js";
import type { Cause, JobState, ParamProblem, Problem } from "./generated/api.js";

/** Anything that Elytra refuses or that fails; `code` is a stable word for programs. */
export class ElytraError extends Error {
  /** A stable word, such as `params_invalid` or `unreachable`. */
  readonly code: string;
  /** The HTTP status, where the server answered. */
  readonly status: number | undefined;
  /** The request's id, as in the server's log. */
  readonly request: string | undefined;
  /** Which fields are wrong, where fields are. */
  readonly fields: readonly ParamProblem[];

  constructor(code: string, message: string, more: { status?: number; request?: string; fields?: readonly ParamProblem[]; cause?: unknown } = {}) {
    super(message, more.cause === undefined ? undefined : { cause: more.cause });
    this.code = code;
    this.status = more.status;
    this.request = more.request;
    this.fields = more.fields ?? [];
  }

  /** From the body of an answer, as RFC 9457 has it. */
  static of(problem: Problem): ElytraError {
    const { type, title, detail, status, request, fields } = problem;
    return new this(type, `${title}: ${detail}`, { status, ...(request ? { request } : {}), fields: fields ?? [] });
  }
}

/** A function that cannot be sent as it stands: it closes over variables, or is no plain function. */
export class CaptureError extends ElytraError {
  /** The variables that the function uses and that do not travel with it. */
  readonly names: readonly string[];

  constructor(message: string, names: readonly string[]) {
    super("captures", message);
    this.names = names;
  }
}

/** A job that ended without all of its results. */
export class JobError extends ElytraError {
  /** The job's id. */
  readonly job: string;
  /** How it ended. */
  readonly state: JobState;

  constructor(job: string, state: JobState, message: string) {
    super(`job_${state}`, message);
    this.job = job;
    this.state = state;
  }
}

/** What is known of a failed item. */
export interface TaskFailure {
  /** The job's id. */
  readonly job: string;
  /** The item's number in the input, from 0. */
  readonly index: number;
  /** The item behind the last one that failed with it (they shared a shard). */
  readonly endIndex: number;
  /** Why, out of a closed set. */
  readonly cause: Cause;
  /** What the sandbox, or the thrown error, said. */
  readonly detail: string;
}

/** An item that has no output. */
export class TaskError extends ElytraError {
  /** The job's id. */
  readonly job: string;
  /** The item's number in the input, from 0. */
  readonly index: number;
  /** The item behind the last one that failed with it: items of one shard share its fate. */
  readonly endIndex: number;
  /** Why, out of a closed set: `item_failed`, `trapped`, `out_of_memory`, `out_of_time`, … */
  override readonly cause: Cause;
  /** The error that was thrown where the task ran, in one line. */
  readonly remoteMessage: string;
  /** The author's line where it was thrown, with the place marked below it. */
  readonly remoteLine: string | undefined;
  /** The stack where the task ran, in the author's files and lines; absent when there is none. */
  readonly remoteStack: string | undefined;

  constructor(failure: TaskFailure) {
    const { message, shown, stack } = readDetail(failure.detail);
    super(`task_${failure.cause}`, describe(failure, message));
    this.job = failure.job;
    this.index = failure.index;
    this.endIndex = failure.endIndex;
    this.cause = failure.cause;
    this.remoteMessage = message;
    this.remoteStack = stack;
    this.remoteLine = shown;
    if (!shown && !stack) return;
    const here = (this.stack ?? "").split("\n").filter((line) => FRAME.test(line));
    this.stack = [`${this.name}: ${this.message}`, shown, stack, "    --- awaited here ---", ...here].filter(Boolean).join("\n");
  }
}

const ADVICE: Record<Cause, string> = {
  item_failed: "",
  trapped: " Run it alone with this item to see where.",
  out_of_memory: " Raise limits.memoryMiB, or let an item hold less.",
  out_of_time: " Raise limits.shardTimeMs, take a smaller chunk, or look for a loop without end.",
  output_too_long: " Return less for an item, or take a smaller chunk.",
  refused: " The workers could not load the program; their logs say why.",
  input_missing: " The input's blob could not be fetched; upload it again.",
  lost: " Workers vanished again and again while they computed it; look for one that needs too much memory.",
};

const WORDS: Record<Cause, string> = {
  item_failed: "failed",
  trapped: "trapped",
  out_of_memory: "ran out of memory",
  out_of_time: "ran out of time",
  output_too_long: "wrote too long an output",
  refused: "could not be run",
  input_missing: "has no input",
  lost: "was lost with its worker",
};

function describe({ index, endIndex, cause }: TaskFailure, message: string): string {
  const which = endIndex > index + 1 ? `item ${index} (of a shard up to item ${endIndex - 1})` : `item ${index}`;
  const [first = "", ...more] = message.split("\n");
  const said = first ? `: ${first}` : "";
  const advice = ADVICE[cause] && `${/[.!?]$/.test(said) ? "" : "."}${ADVICE[cause]}`;
  return [`${which} ${WORDS[cause]}${said}${advice}`, ...more].join("\n");
}

/** A line of the author's file as the server shows it: `  30 |   throw …`, and below it the place. */
const SHOWN = /^\s*\d*\s*\|/;
const FRAME = /^\s*at\s/;

/** The message, then the author's line, then the stack, of which the last two may be missing. */
function readDetail(detail: string): { message: string; shown: string | undefined; stack: string | undefined } {
  const lines = detail.trimEnd().split("\n");
  const message = lines.filter((line) => !SHOWN.test(line) && !FRAME.test(line)).join("\n");
  const shown = lines.filter((line) => SHOWN.test(line)).join("\n");
  const frames = lines.filter((line) => FRAME.test(line) && !OWN_FRAME.test(line)).map((line) => `    ${line.trim()}`);
  return { message, shown: shown || undefined, stack: frames.join("\n") || undefined };
}

/** A failure's words begin with `item N: ` where it is known which it was. */
export function itemOfDetail(detail: string): { item: number | undefined; detail: string } {
  const found = /^item (\d+): /.exec(detail);
  return found ? { item: Number(found[1]), detail: detail.slice(found[0].length) } : { item: undefined, detail };
}

// On the prototypes, so that stacks begin with the class's name whatever a bundler calls it.
for (const [name, type] of Object.entries({ ElytraError, CaptureError, JobError, TaskError })) {
  Object.defineProperty(type.prototype, "name", { value: name, configurable: true, writable: true });
}
