// A tab's identity as a worker. It outlives a reload, and two tabs of one browser never share one: the browser keeps
// a short list of identities, and each tab holds the first that no other tab holds.

const KEY = "elytra.workers";
/** Identities kept; further tabs of the same browser get one for their own life only. */
const KEPT_MAX = 32;
const IDENTITY = /^[0-9a-f]{16}$/;

let claimed: Promise<string> | null = null;

/** This page's identity: 16 hex digits, the same for the life of the page. */
export function claimIdentity(): Promise<string> {
  claimed ??= claim().catch(fresh);
  return claimed;
}

async function claim(): Promise<string> {
  // Without locks (an insecure context) nobody can say which identity is free.
  if (!navigator.locks) return fresh();
  for (const identity of stored()) {
    if (await hold(identity)) return identity;
  }
  const identity = fresh();
  await hold(identity);
  remember(identity);
  return identity;
}

/** Holds an identity until the page goes away; false when another page has it. */
function hold(identity: string): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const whilePageLives = new Promise<void>(() => undefined);
    navigator.locks
      .request(`${KEY}.${identity}`, { ifAvailable: true }, (lock) => {
        resolve(lock !== null);
        return lock ? whilePageLives : undefined;
      })
      .catch(reject);
  });
}

function stored(): string[] {
  try {
    const list: unknown = JSON.parse(localStorage.getItem(KEY) ?? "[]");
    return Array.isArray(list) ? list.filter((id): id is string => typeof id === "string" && IDENTITY.test(id)) : [];
  } catch {
    return [];
  }
}

function remember(identity: string): void {
  const list = [...stored(), identity];
  if (list.length > KEPT_MAX) return;
  try {
    localStorage.setItem(KEY, JSON.stringify(list));
  } catch {
    // Storage is full or forbidden: the identity lives as long as the page.
  }
}

function fresh(): string {
  const parts = crypto.getRandomValues(new Uint32Array(2));
  return [...parts].map((part) => part.toString(16).padStart(8, "0")).join("");
}
