// Whom this tab's work is counted for: a key that is made at the first Start and kept by the browser. All tabs of one
// browser share it. The Contribute page shows it, brings another one and takes it away; here it is only made and read.

/** 64 hex digits: the secret half of an Ed25519 key. */
export const KEY = "elytra.account";
/** The name under which the contributor wants to be listed. */
export const NAME = "elytra.account.name";
const SECRET = /^[0-9a-f]{64}$/;

export interface OwnAccount {
  account: string | null;
  display_name: string | null;
}

/** The account of this browser; where nothing can be kept, one for the life of the page. */
export async function claimAccount(): Promise<OwnAccount> {
  const account = await (navigator.locks ? navigator.locks.request(KEY, readOrMake) : readOrMake());
  return { account, display_name: read(NAME) };
}

let unkept: string | null = null;

/** Two tabs that start together must not make two accounts: one at a time. */
function readOrMake(): string {
  const stored = read(KEY);
  if (stored && SECRET.test(stored)) return stored;
  const bytes = crypto.getRandomValues(new Uint8Array(32));
  const made = unkept ?? [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  try {
    localStorage.setItem(KEY, made);
  } catch {
    unkept = made;
  }
  return made;
}

function read(name: string): string | null {
  try {
    return localStorage.getItem(name) || null;
  } catch {
    return null;
  }
}
