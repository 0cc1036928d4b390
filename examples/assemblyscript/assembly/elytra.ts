// What a kernel in AssemblyScript needs of Elytra: the four imports, the items of a shard, and failures that carry
// the author's file and line. Copy it beside your own kernel.

@external("elytra", "input_len") declare function input_len(): i32;
@external("elytra", "input_read") declare function input_read(pointer: usize, offset: i32, length: i32): void;
@external("elytra", "output_write") declare function output_write(pointer: usize, length: i32): void;
@external("elytra", "log") declare function host_log(pointer: usize, length: i32): void;

const RANGE: u8 = 0;

/** Where in the shard the item stands that is being computed, for the message of a failure. */
let current: i32 = 0;

/** The items that an entry is called for: read them in order, and write an output for each. */
export class Shard {
  private view: DataView;
  private at: i32;
  private first: i64 = 0;
  private step: i64 = 0;
  private done: i32 = 0;
  private kind: u8;
  /** How many items there are. */
  readonly count: i32;
  /** The job's parameters as JSON. */
  readonly params: string;

  constructor() {
    const bytes = new ArrayBuffer(input_len());
    input_read(changetype<usize>(bytes), 0, bytes.byteLength);
    const view = new DataView(bytes);
    const params_end = 4 + view.getInt32(0, true);
    this.view = view;
    this.params = String.UTF8.decode(bytes.slice(4, params_end));
    this.kind = view.getUint8(params_end);
    this.count = view.getInt32(params_end + 1, true);
    this.at = params_end + 5;
    if (this.kind == RANGE) {
      this.first = this.view.getInt64(this.at, true);
      this.step = this.view.getInt64(this.at + 8, true);
    }
  }

  /** Whether an item is left; it is the current one from now on. */
  more(): bool {
    current = this.done;
    return this.done < this.count;
  }

  /** The current item as a whole number; read each item once. */
  integer(): i64 {
    if (this.kind == RANGE) return this.first + this.step * <i64>(this.done++);
    return I64.parseInt(this.text());
  }

  /** The current item as text (JSON, where the job's items are JSON); read each item once. */
  text(): string {
    if (this.kind == RANGE) return this.integer().toString();
    const start = this.at + 4;
    this.at = start + this.view.getInt32(this.at, true);
    this.done++;
    return String.UTF8.decode(this.view.buffer.slice(start, this.at));
  }

  /** A number among the parameters; the coordinator has held them against the description before. */
  param(name: string, otherwise: f64): f64 {
    const key = '"' + name + '":';
    const at = this.params.indexOf(key);
    return at < 0 ? otherwise : F64.parseFloat(this.params.substring(at + key.length));
  }
}

/** The current item's output, bytes. */
export function writeBytes(bytes: ArrayBuffer): void {
  const length = new StaticArray<i32>(1);
  length[0] = bytes.byteLength;
  output_write(changetype<usize>(length), 4);
  output_write(changetype<usize>(bytes), bytes.byteLength);
}

/** The current item's output, JSON. */
export function writeJson(text: string): void {
  writeBytes(String.UTF8.encode(text));
}

/** A line in the shard's log. */
export function log(line: string): void {
  const bytes = String.UTF8.encode(line);
  host_log(changetype<usize>(bytes), bytes.byteLength);
}

/** What `throw`, a failed `assert` and an index out of bounds become; given to the compiler with `--use abort=…`. */
export function abort(message: string | null, file: string | null, line: u32, column: u32): void {
  const cause = message === null ? "aborted" : message;
  const place = file === null ? "" : ` (${file}:${line}:${column})`;
  log(`elytra-item-failed ${current}: ${cause}${place}`);
  unreachable();
}
