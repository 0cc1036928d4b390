// Written by `npm run generate -w sdk` from the coordinator's OpenAPI document; a test fails when it is stale.
/* eslint-disable */

/** What an account has given. */
export type Account = {
  /** The account. Who knows its name can read this. */ account: AccountId;
  /** Whether it gave a wrong answer, so that it gets no more work that is checked. */ caught: boolean;
  /** Shards that it computed and that are still being checked. */ checking_shards: number;
  /** Verified, and booked to it. */ credited: Given;
  /** The name under which it is listed, where its owner chose one. */ name?: string | null;
};

/** an account id (a- and 13 letters and digits) */
export type AccountId = string;

/** An uploaded blob. */
export type Blob = {
  /** Its name. */ hash: BlobHash;
  /** Its length in bytes. */ length: number;
};

/** a blob hash (64 hex digits) */
export type BlobHash = string;

/** An uploaded blob and how it is split into items. */
export type BlobSpec = {
  /** The blob, uploaded before. */ blob: BlobHash;
  /** How the bytes of an item are read (records are always `text`). */ encoding?: Encoding;
  /** How it is split. */ split?: Split;
};

/** Neighbouring shards of a booking. */
export type BookedRun = {
  /** How many. */ count: number;
  /** The first. */ first: number;
};

/** Verified work of an account. It is written once and never changed. */
export type Booking = {
  /** Whose work it was. */ account: AccountId;
  /** Its name: the job, and which batch of it. */ id: ReceiptId;
  /** How many items they have. */ items: number;
  /** The [`Root`] over their digests. */ root: Digest;
  /** The shards, in order. */ runs: Array<BookedRun>;
  /** How many shards. */ shards: number;
  /** When, in milliseconds since 1970. */ time_ms: number;
};

/** The closed set of causes of a failed attempt. */
export type Cause = "item_failed" | "trapped" | "out_of_memory" | "out_of_time" | "output_too_long" | "refused" | "input_missing" | "lost";

/** What a program says of itself. */
export type Description = {
  /** What it can be asked to do. */ entries: Array<Entry>;
  /** In which of the three forms it was brought. */ kind?: ProgramKind;
  module?: ModuleReport | null;
  /** Its name for people. */ name: string;
  /** Its version. */ version: string;
};

/** a digest (64 hex digits) */
export type Digest = string;

/** How the bytes of an item are read. */
export type Encoding = "json" | "text";

/** One entry function. */
export type Entry = {
  /** One sentence. */ about?: string;
  item?: Field | null;
  /** The export's name. */ name: string;
  /** What an item's output is. */ output?: OutputKind;
  /** Parameters; absent when the program does not say, and then anything is passed on. */ params?: Array<Field> | null;
  picture?: Picture | null;
  /** A title for people. */ title?: string;
};

/** Failed attempts with the same cause and the same first line of detail. */
export type ErrorGroup = {
  /** The cause. */ cause: Cause;
  /** How many attempts. */ count: number;
  /** The latest detail. */ detail: string;
  /** When it was seen last, in milliseconds since 1970. */ last_ms: number;
  /** One of the shards. */ shard: number;
};

/** A job's failed attempts by cause. */
export type ErrorGroups = {
  /** Most frequent first. */ groups: Array<ErrorGroup>;
};

/** Something that happened; the SSE `id` is its number, the SSE `event` its kind. */
export type Event = {
  /** The job as it stands. */ job: Job;
  kind: "job_changed";
} | {
  /** How it stands. */ counts: JobCounts;
  /** The job. */ id: JobId;
  /** Items accepted a second, lately. */ items_per_second: number;
  kind: "job_progress";
  /** Predicted milliseconds to the end. */ remaining_ms?: number | null;
} | {
  kind: "worker_changed";
  /** The worker as it stands. */ worker: Worker;
} | {
  kind: "overview_sample";
  /** Shards with workers. */ leased: number;
  /** Shards waiting. */ pending: number;
  /** This second. */ sample: Sample;
  /** Slots they lend. */ slots: number;
  /** Workers connected. */ workers: number;
} | {
  kind: "missed";
};

/** Why something does not move, and what would change it. */
export type Explanation = {
  /** In order of weight; never empty. */ reasons: Array<Reason>;
};

/** A parameter, or an item. */
export type Field = {
  /** One sentence. */ about?: string;
  /** The words to choose from. */ choices?: Array<string>;
  /** Taken when it is left out. */ default?: unknown;
  /** Greatest number. */ max?: number | null;
  /** Least number. */ min?: number | null;
  /** Its name; empty for an item. */ name?: string;
  /** Whether it must be given. */ required?: boolean;
  /** What it holds. */ type: FieldKind;
};

/** What a field holds. */
export type FieldKind = "integer" | "number" | "boolean" | "text" | "choice" | "json";

/** Work that was verified. */
export type Given = {
  /** Bookings. */ bookings: number;
  /** Their items. */ items: number;
  /** Shards. */ shards: number;
};

/** How many items make a shard. */
export type Grain = "auto" | {
  /** This many. */ items: number;
};

/** The items of a job. */
export type InputSpec = {
  /** Numbers. */ range: RangeSpec;
} | {
  /** A list of JSON values. */ items: Array<unknown>;
} | {
  /** An uploaded blob, split. */ blob: BlobSpec;
} | {
  /** Items are added while the job runs, until it is closed. */ open: OpenSpec;
};

/** What became of items that were added. */
export type ItemsAdded = {
  /** How many were in the request. */ added: number;
  /** How many the job has now. */ items: number;
  /** How many of them are not accepted yet: the sender keeps this bounded. */ waiting: number;
};

/** A job as it stands. */
export type Job = {
  /** Execution time of accepted outputs, in milliseconds. */ busy_ms?: number;
  /** Items and shards by state. */ counts: JobCounts;
  /** When it was over. */ ended_ms?: number | null;
  /** Its id. */ id: JobId;
  /** Items accepted a second, lately. */ items_per_second?: number;
  /** For whom: the name of the token that submitted it. */ owner: string;
  /** The program it uses. */ program: ProgramHash;
  /** Why it failed or was cancelled, for people. */ reason?: string | null;
  reduction?: Reduction | null;
  /** Predicted milliseconds to the end, when it can be said. */ remaining_ms?: number | null;
  /** What was asked for, with defaults filled in; a list of items is not repeated. */ spec: JobSpec;
  /** When its first shard was handed out. */ started_ms?: number | null;
  /** Its state. */ state: JobState;
  /** When it was submitted, in milliseconds since 1970. */ submitted_ms: number;
  trust?: TrustReport | null;
};

/** Items and shards of a job by state. */
export type JobCounts = {
  /** Done. */ accepted: number;
  /** Attempts that were handed out, all in all. */ attempts: number;
  /** Not wanted any more. */ canceled: number;
  /** Failed for good. */ failed: number;
  /** Items known so far. */ items: number;
  /** Items whose shard is accepted. */ items_accepted: number;
  /** Whether more items may come. */ items_open: boolean;
  /** Items not cut into shards yet. */ items_uncut: number;
  /** With a worker. */ leased: number;
  /** Cut and waiting. */ pending: number;
  /** Shards cut so far; more may be cut. */ shards: number;
  /** Failed for good and skipped, as the job asked. */ skipped: number;
  /** Output known, not yet settled or durable. */ verifying: number;
};

/** a job id (j- and 13 letters and digits) */
export type JobId = string;

/** A page of jobs. */
export type JobPage = {
  /** Newest first. */ jobs: Array<Job>;
  /** Where the next page begins, when there is one. */ next?: string | null;
};

/** A job as it is submitted. */
export type JobSpec = {
  /** Failed attempts after which a shard fails for good (1 to 100). */ attempts_max?: number;
  /** The entry function, such as `mandelbrot`. */ entry: string;
  /** How many items make a shard. */ grain?: Grain;
  /** The items. */ input: InputSpec;
  /** Free labels, to find it again. */ labels?: Record<string, string>;
  /** Limits of every shard. */ limits?: Limits;
  /** What people call it. Empty: the entry's name. */ name?: string;
  /** What a worker must be. */ needs?: Needs;
  /** What a shard that fails for good does to its job. */ on_failure?: OnFailure;
  /** The entry's parameters; fields that are left out take their defaults. */ params?: unknown;
  /** Jobs with a higher priority go first (-100 to 100). */ priority?: number;
  /** A program's hash, or the name of one that the coordinator carries, such as `rust-core`. */ program: string;
  reduce?: ReduceSpec | null;
  /** How far workers are trusted. */ trust?: Trust;
  /** Share among jobs of the same priority (1 to 10,000). */ weight?: number;
};

/** How a job stands. */
export type JobState = "queued" | "running" | "paused" | "canceling" | "succeeded" | "failed" | "canceled";

/** A contributor who chose to be listed. */
export type Leader = {
  /** Verified work. */ credited: Given;
  /** The name the contributor chose; nobody vouches for it. */ name: string;
};

/** Contributors who chose to be listed, those who gave most first. */
export type LeaderList = {
  /** At most 100. */ leaders: Array<Leader>;
};

/** Limits of every shard of a job. */
export type Limits = {
  /** Memory of one instance, in MiB. */ memory_mib?: number;
  /** CPU time of one shard, in milliseconds. */ shard_time_ms?: number;
};

/** What admission found in a module, and what it did to it. */
export type ModuleReport = {
  /** The parts of WebAssembly beyond the first version that it uses. */ features: Array<string>;
  /** Bytes that its memory can grow to; a job may set less. */ memory_bytes_max: number;
  /** Bytes of memory that it begins with. */ memory_bytes_min: number;
  /** What was done so that it computes the same everywhere: one sentence each. */ notes: Array<string>;
};

/** What a worker must be to be given a job's shards. */
export type Needs = {
  /** Only native workers. */ native?: boolean;
  /** Only workers that run fixed-width SIMD. */ simd?: boolean;
  /** Only workers whose token carries the `trusted` scope. */ trusted?: boolean;
};

/** What a shard that fails for good does to its job. */
export type OnFailure = "fail" | "skip";

/** Items that come later. */
export type OpenSpec = {
  /** How the lines that are added are read. */ encoding?: Encoding;
};

/** What an item's output is. */
export type OutputKind = "json" | "bytes";

/** What the overview page shows. */
export type Overview = {
  /** Shards accepted since the coordinator started. */ accepted: number;
  /** Which promise the store holds, for people. */ durability: string;
  /** Attempts failed since the coordinator started. */ failed: number;
  /** Jobs queued, running or paused. */ jobs_open: number;
  /** Shards with workers. */ leased: number;
  /** Shards waiting. */ pending: number;
  /** Slots they lend. */ slots: number;
  /** Why nothing can be stored at the moment, when that is so. */ store_problem?: string | null;
  /** Accepted shards and items a second, one sample a second, oldest first, at most 300. */ throughput: Array<Sample>;
  /** The least level of a job here; a lower one is raised to it. */ trust_min?: Trust;
  /** The coordinator's version. */ version: string;
  /** Whether contributors need a token. */ worker_token_required: boolean;
  /** Workers connected. */ workers: number;
};

/** A parameter that does not fit. */
export type ParamProblem = {
  /** Which one. */ field: string;
  /** What is wrong, and what would be right. */ problem: string;
};

/** Why a worker takes no shards. */
export type PauseReason = "person" | "finishing" | "battery" | "hidden" | "schedule" | "stopping";

/** How outputs make a picture. */
export type Picture = "tiles";

/** The body of every error response, as `application/problem+json` (RFC 9457). */
export type Problem = {
  /** What is wrong here, and what to do. */ detail: string;
  /** Which fields are wrong, where fields are. */ fields?: Array<ParamProblem>;
  /** The request's id, as in the log. */ request?: string;
  /** The HTTP status. */ status: number;
  /** The same for every problem of a kind. */ title: string;
  /** A stable word for programs, such as `params_invalid`. */ type: string;
};

/** A program. */
export type Program = {
  /** Whether the coordinator carries it. */ built_in: boolean;
  /** What it says of itself. */ description: Description;
  /** Its name. */ hash: ProgramHash;
  /** Its length in bytes. */ length: number;
};

/** a program hash (64 hex digits) */
export type ProgramHash = string;

/** The form in which a program was brought; after admission all three run alike. */
export type ProgramKind = "kernel" | "command" | "script";

/** The programs a coordinator knows. */
export type ProgramList = {
  /** Built-in ones first. */ programs: Array<Program>;
};

/** a public key (64 hex digits) */
export type PublicKey = string;

/** `start`, `start + step`, … before `end`. */
export type RangeSpec = {
  /** The bound that is not reached. */ end: number;
  /** The first number. */ start?: number;
  /** The distance; not 0, may be negative. */ step?: number;
};

/** One reason. */
export type Reason = {
  /** A stable word for programs, such as `no_worker`. */ code: string;
  /** What to do about it; empty when there is nothing to do. */ remedy?: string;
  /** For people. */ text: string;
};

/** A booking that a server stands by. */
export type Receipt = {
  /** What it says. */ booking: Booking;
  /** The server's public key (Ed25519). */ server: PublicKey;
  /** Its signature, in 128 hex digits. */ signature: string;
};

/** The digests of a receipt's shards, in order, as the stored outputs give them. */
export type ReceiptDigests = {
  /** The digests. */ digests: Array<Digest>;
};

/** a receipt's id (a job id and two numbers, with dots between them) */
export type ReceiptId = string;

/** Receipts of an account, newest first. */
export type ReceiptPage = {
  /** Where the next page begins, where there is one. */ next?: number | null;
  /** The receipts. */ receipts: Array<Receipt>;
};

/** A reduction: further stages, each over the outputs of the stage before, until one output is left.

An item of such a stage is a JSON list of up to `fan_in` neighbouring outputs, in the order of their
items. Which outputs meet depends on nothing but their number, so sums of floating-point numbers have
the same bits however many workers there are. */
export type ReduceSpec = {
  /** The entry that makes one output of a list of outputs. In a script: a function of two, with which the list is folded from the left. */
entry: string;
  /** Outputs in one item of a stage (16 to 4,096). */ fan_in?: number;
};

/** How far a reduction is. */
export type Reduction = {
  /** Its items: lists of outputs of the stage before. */ items: number;
  /** Those that are reduced. */ items_accepted: number;
  /** The stage that runs, or ran last; the map is stage 0. */ stage: u8;
};

/** One line of a result stream. */
export type ResultLine = {
  /** An item's output. */ item: {
    /** Its output in base64 (RFC 4648), where the entry's output is bytes. */ bytes?: string | null;
    /** Which item. */ item: number;
    /** Its output, where the entry's output is JSON. */ output?: unknown;
  };
} | {
  /** Items that have no output, because their shard failed for good. */ failed: {
    /** Why. */ cause: Cause;
    /** What the sandbox said. */ detail: string;
    /** The item behind the last. */ end_item: number;
    /** First item. */ first_item: number;
  };
} | {
  /** Where to go on; always the last line of a page, and now and then in between. */ cursor: {
    /** For the next request. */ cursor: string;
    /** Whether the job is over and this is the end. */ end: boolean;
    /** The job's state. */ state: JobState;
  };
};

/** One second of work. */
export type Sample = {
  /** Attempts failed in it. */ failed: number;
  /** Items accepted in it. */ items: number;
  /** Shards accepted in it. */ shards: number;
  /** The second, in milliseconds since 1970. */ time_ms: number;
};

/** What a bearer of a token may do. */
export type Scope = "submit" | "work" | "trusted" | "read" | "admin";

/** A shard as a worker gets it, to be run again elsewhere. */
export type Shard = {
  /** The item behind the last. */ end_item: number;
  /** The entry that is called. */ entry: string;
  /** First item. */ first_item: number;
  /** What the program reads, in base64 (RFC 4648): parameters and items in the kernel's encoding. */ input: string;
  /** The job. */ job: JobId;
  /** Its limits. */ limits: Limits;
  /** The program that is executed; for a script that is the script engine. */ program: ProgramHash;
  /** Its place. */ shard: number;
};

/** A worker's measured speed. */
export type Speed = {
  /** The entry. */ entry: string;
  /** Items a second and slot. */ items_per_second: number;
  /** Against all that was measured for this entry lately; 1 is typical, 2 is twice as fast. */ score: number;
};

/** How a blob is split into items. */
export type Split = "lines" | {
  /** Records of this many bytes. */ records: number;
};

/** What a page's worker shows in place of a token. */
export type Ticket = {
  /** When it is over, in milliseconds since 1970. */ expires_ms: number;
  /** Its text, for the `token` of the worker's hello. Good once. */ ticket: string;
};

/** What is kept of a token. */
export type TokenInfo = {
  /** When it was made, in milliseconds since 1970. */ created_ms: number;
  /** When it ends. */ expires_ms?: number | null;
  /** Its public part. */ id: string;
  /** For whom. */ name: string;
  /** What it allows. */ scopes: Array<Scope>;
};

/** The tokens that are not revoked. */
export type TokenList = {
  /** Oldest first. */ tokens: Array<TokenInfo>;
};

/** A new token: the only time its text is shown. */
export type TokenMade = {
  /** What is kept of it. */ info: TokenInfo;
  /** Its text, for the `Authorization: Bearer` header. */ token: string;
};

/** Asks for a token. */
export type TokenRequest = {
  /** When it ends, in milliseconds since 1970; never, when absent. */ expires_ms?: number | null;
  /** For whom; shown as the owner of jobs. */ name: string;
  /** What it allows. */ scopes: Array<Scope>;
};

/** How far workers are trusted. Each level has a price; `private` costs nothing. */
export type Trust = "private" | "fast" | "standard" | "strict" | "verified";

/** What was done so that a job's answers can be trusted. */
export type TrustReport = {
  /** Second looks that said something else. */ conflicts: number;
  /** Executions that came back, of whatever worth. */ executions: number;
  /** The level. */ level: Trust;
  /** Their outputs that were thrown away before anybody saw them. */ shards_withdrawn: number;
  /** Shards that were computed a second time to check the first. */ spot_checks: number;
  /** Accounts that were caught with a wrong answer. */ workers_withdrawn: number;
  /** The promised share of wrong shards; absent where nothing is promised. */ wrong_share_max?: number | null;
};

/** Who a token makes of its bearer. */
export type WhoAmI = {
  /** The token's name, or `anonymous`. */ name: string;
  /** What it allows. */ scopes: Array<Scope>;
};

/** A worker as it stands. */
export type Worker = {
  /** Shards accepted from it. */ accepted: number;
  /** Software and version. */ agent: string;
  /** Whether it is connected. */ connected: boolean;
  /** When it connected, in milliseconds since 1970. */ connected_ms: number;
  /** Attempts of it that failed. */ failed: number;
  /** Its id. */ id: WorkerId;
  /** Tab or native. */ kind: WorkerKind;
  /** Shards it holds now. */ leased: number;
  /** Attempts of it that were lost. */ lost: number;
  /** Its name for people; may be empty. */ name: string;
  pause?: PauseReason | null;
  /** Accepted divided by accepted and lost; 1 at the beginning. */ reliability: number;
  /** When it was last heard, in milliseconds since 1970. */ seen_ms: number;
  /** Slots in use; 0 while paused. */ slots: number;
  /** Its measured speed for each program entry. */ speeds: Array<Speed>;
  /** Whether its token carries the `trusted` scope. */ trusted: boolean;
  /** Its window now: shards that may be in flight to it. */ window: number;
};

/** a worker id (w- and 13 letters and digits) */
export type WorkerId = string;

/** What kind of executor a worker is. */
export type WorkerKind = "tab" | "native";

/** The workers a coordinator knows: connected ones, and those lately gone. */
export type WorkerList = {
  /** Connected first. */ workers: Array<Worker>;
};

export type u8 = number;
