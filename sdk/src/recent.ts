// A map that forgets: what was used last stays, up to a number.

/** Keeps the values used last. */
export class Recent<K, V> {
  readonly #max: number;
  readonly #values = new Map<K, V>();

  constructor(max: number) {
    this.#max = max;
  }

  get(key: K): V | undefined {
    const value = this.#values.get(key);
    if (value !== undefined) this.set(key, value);
    return value;
  }

  /** The newest entry is the last one of the map, so the first is the one to forget. */
  set(key: K, value: V): void {
    this.#values.delete(key);
    this.#values.set(key, value);
    if (this.#values.size <= this.#max) return;
    const [oldest] = this.#values.keys();
    this.#values.delete(oldest as K);
  }

  delete(key: K): void {
    this.#values.delete(key);
  }
}
