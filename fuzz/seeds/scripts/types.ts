interface A<T extends string> { readonly b?: T; c: (d: number) => Promise<void> }
enum E { F = 1, G }
export default async function h<T>(this: unknown, { i, ...j }: A<"x"> & { i: T }): Promise<number> {
  const k = `${await (<any>i)}${E.F satisfies number}`; for (const l of [1, 2n, /m/gu]) console.log(l as never, k?.at(-1) ?? j);
  return class { static #n = 0; static { this.#n++; } }.length;
}
export const reduce = (o: number[]) => o.reduce((p, q) => p + q, 0);
