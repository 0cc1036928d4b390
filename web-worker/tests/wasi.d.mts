// For the browser tests, which are TypeScript.
export function exampleUrl(name: string): URL;
export function underNode(name: string, args: string[], stdin: string): Buffer;
export function underNodeEach(name: string, args: string[], stdins: string[]): Buffer;
