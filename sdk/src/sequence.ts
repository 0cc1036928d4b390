// Results as people want them: to iterate over while they come, or to await as a list.

/** Something to `for await` over, or to `await` whole. */
export class Sequence<T> implements AsyncIterable<T>, PromiseLike<T[]> {
  readonly #read: () => AsyncGenerator<T[]>;
  #all: Promise<T[]> | undefined;

  constructor(read: () => AsyncGenerator<T[]>) {
    this.#read = read;
  }

  /** As many results at a time as arrived together: the fast way through millions. */
  batches(): AsyncGenerator<T[], void, undefined> {
    return this.#read() as AsyncGenerator<T[], void, undefined>;
  }

  /** One result after the other. Leaving the loop early cancels a job that was submitted here. */
  async *[Symbol.asyncIterator](): AsyncGenerator<T, void, undefined> {
    for await (const batch of this.#read()) for (const result of batch) yield result;
  }

  /** Every result, in one list. */
  array(): Promise<T[]> {
    this.#all ??= this.#gather();
    return this.#all;
  }

  then<A = T[], B = never>(done?: ((results: T[]) => A | PromiseLike<A>) | null, failed?: ((error: unknown) => B | PromiseLike<B>) | null): Promise<A | B> {
    return this.array().then(done, failed);
  }

  catch<B = never>(failed?: ((error: unknown) => B | PromiseLike<B>) | null): Promise<T[] | B> {
    return this.array().catch(failed);
  }

  finally(ended?: (() => void) | null): Promise<T[]> {
    return this.array().finally(ended);
  }

  async #gather(): Promise<T[]> {
    const all: T[] = [];
    for await (const batch of this.#read()) for (const result of batch) all.push(result);
    return all;
  }
}
