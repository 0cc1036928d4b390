// The four functions a program can call, and the buffers behind them. One set for all instances of a slot:
// only one shard runs at a time, and everything a shard left is cleared before the next.

/** Longest log kept of a shard; what is over it is dropped. */
const LOG_BYTES_MAX = 4096;
/** The output buffer begins with this many bytes and doubles from there. */
const OUTPUT_BYTES_FIRST = 65536;

/** Thrown through the program when its output would be longer than its limit. */
export class OutputTooLong extends Error {}

export class Host {
  /** The whole input: what is common to the batch, then the shard's own part. */
  #input = new Uint8Array(0);
  #inputBytes = 0;
  #prefixBytes = 0;
  #output = new Uint8Array(OUTPUT_BYTES_FIRST);
  #outputBytes = 0;
  #shardStart = 0;
  #outputBytesMax = 0;
  #log: Uint8Array[] = [];
  #logBytes = 0;
  #lastLine = new Uint8Array(0);
  /** The running instance's memory; empty between shards. */
  memory: WebAssembly.Memory | null = null;

  /** For `WebAssembly.Instance`. */
  readonly imports: WebAssembly.Imports = {
    elytra: {
      input_len: () => this.#inputBytes,
      input_read: (pointer: number, offset: number, length: number) => this.#read(pointer, offset, length),
      output_write: (pointer: number, length: number) => this.#write(pointer, length),
      log: (pointer: number, length: number) => this.#note(pointer, length),
    },
  };

  /** Before the first shard of a batch. */
  beginBatch(prefix: Uint8Array, outputBytesMax: number): void {
    this.#reserveInput(prefix.length);
    this.#input.set(prefix);
    this.#prefixBytes = prefix.length;
    this.#outputBytesMax = outputBytesMax;
  }

  /** Before each shard. */
  beginShard(rest: Uint8Array): void {
    this.#inputBytes = this.#prefixBytes + rest.length;
    this.#reserveInput(this.#inputBytes);
    this.#input.set(rest, this.#prefixBytes);
    this.#shardStart = this.#outputBytes;
    this.#log = [];
    this.#logBytes = 0;
    this.#lastLine = new Uint8Array(0);
  }

  /** After a shard that ended well: the length of its output. */
  endShard(): number {
    this.memory = null;
    return this.#outputBytes - this.#shardStart;
  }

  /** After a shard that failed: what it wrote is dropped. */
  dropShard(): void {
    this.memory = null;
    this.#outputBytes = this.#shardStart;
  }

  /** Bytes of output collected since the last `takeOutputs`. */
  get outputBytes(): number {
    return this.#outputBytes;
  }

  /** The outputs collected, one behind the other, as a buffer of their own. */
  takeOutputs(): ArrayBuffer {
    const outputs = this.#output.slice(0, this.#outputBytes).buffer;
    this.#outputBytes = 0;
    return outputs;
  }

  /** The running shard's input. */
  get input(): Uint8Array {
    return this.#input.subarray(0, this.#inputBytes);
  }

  /** The most a shard may write. */
  get outputBytesMax(): number {
    return this.#outputBytesMax;
  }

  /** The last line the shard logged, and all of its log. */
  log(): { last: string; all: string } {
    const text = new TextDecoder();
    // A script's lines end with a line feed already.
    const all = this.#log.map((line) => text.decode(line).replace(/\n$/, "")).join("\n");
    return { last: text.decode(this.#lastLine), all };
  }

  #view(pointer: number, length: number): Uint8Array {
    if (!this.memory) throw new Error("the program calls its host before it is ready");
    // Numbers come as signed 32 bits; a range outside the memory throws here and so traps the program.
    return new Uint8Array(this.memory.buffer, pointer >>> 0, length >>> 0);
  }

  #read(pointer: number, offset: number, length: number): void {
    const [from, bytes] = [offset >>> 0, length >>> 0];
    if (from + bytes > this.#inputBytes) throw new RangeError("input_read is out of the input's range");
    this.#view(pointer, bytes).set(this.#input.subarray(from, from + bytes));
  }

  #write(pointer: number, length: number): void {
    this.append(this.#view(pointer, length));
  }

  /** Adds to the running shard's output. */
  append(bytes: Uint8Array): void {
    const end = this.#outputBytes + bytes.length;
    if (end - this.#shardStart > this.#outputBytesMax) {
      throw new OutputTooLong(`the output is longer than ${this.#outputBytesMax} bytes`);
    }
    if (end > this.#output.length) this.#growOutput(end);
    this.#output.set(bytes, this.#outputBytes);
    this.#outputBytes = end;
  }

  #note(pointer: number, length: number): void {
    const line = this.#view(pointer, length).slice(0, LOG_BYTES_MAX);
    this.#lastLine = line;
    const kept = line.subarray(0, LOG_BYTES_MAX - this.#logBytes);
    if (kept.length > 0) this.#log.push(kept);
    this.#logBytes += kept.length;
  }

  #reserveInput(bytes: number): void {
    if (bytes <= this.#input.length) return;
    const larger = new Uint8Array(Math.max(bytes, this.#input.length * 2));
    larger.set(this.#input.subarray(0, this.#prefixBytes));
    this.#input = larger;
  }

  #growOutput(bytes: number): void {
    const larger = new Uint8Array(Math.max(bytes, this.#output.length * 2));
    larger.set(this.#output.subarray(0, this.#outputBytes));
    this.#output = larger;
  }
}
