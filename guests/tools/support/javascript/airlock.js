// What a guest in JavaScript needs: files, which its engine does not have, and short names for what the contract says.
// An I/O manager exports `output` and `input`, an op `op`, see airlock.d.ts. Whatever it throws as `{ tag, val }` is an error
// of the contract.

import { getDirectories } from 'wasi:filesystem/preopens@0.2.0';

/** How much to read or write at once: the most that the host takes. */
export const CHUNK = 1 << 20;

/** Of what WASI says went wrong, the error of the contract. */
const TAGS = {
  'no-entry': 'not-found',
  access: 'access-denied',
  'not-permitted': 'access-denied',
  'read-only': 'access-denied',
  exist: 'conflict',
  quota: 'limit-exceeded',
  'file-too-large': 'limit-exceeded',
  'insufficient-memory': 'limit-exceeded',
  'insufficient-space': 'limit-exceeded',
};

export const fail = {
  notFound: (keys = []) => ({ tag: 'not-found', val: keys }),
  unsupportedType: (reason) => ({ tag: 'unsupported-type', val: reason }),
  corrupt: (reason) => ({ tag: 'corrupt', val: reason }),
  invalidConfig: (reason) => ({ tag: 'invalid-config', val: reason }),
  other: (code, message, retryable = false) => ({ tag: 'other', val: { code, message, retryable } }),
};

/** Does something with files. What WASI throws is the name of an error in `payload`. */
function told(doing, path, act) {
  try {
    return act();
  } catch (error) {
    const cause = error?.payload;
    if (typeof cause !== 'string') throw error;
    const tag = TAGS[cause];
    if (tag === 'not-found') throw fail.notFound();
    const message = `cannot ${doing} ${path}: ${cause}`;
    throw tag === undefined ? fail.other('io', message) : { tag, val: message };
  }
}

/** Uses a resource of the host and gives it back, also after an error: the collector need not run before the call ends. */
export function using(resource, use) {
  try {
    return use(resource);
  } finally {
    resource[Symbol.dispose]();
  }
}

/** The directory that is lent and has `path`, and the rest of the path. */
function lent(path) {
  let found;
  for (const [directory, name] of getDirectories()) {
    const prefix = name.endsWith('/') ? name : `${name}/`;
    if (found === undefined && path.startsWith(prefix)) found = [directory, path.slice(prefix.length)];
    else directory[Symbol.dispose]();
  }
  if (found === undefined) throw { tag: 'access-denied', val: `cannot open ${path}: nothing that is lent has it` };
  return found;
}

/** Makes the directories that `path` lies in, where they are not there yet. */
export function makeParents(path) {
  const [directory, rest] = lent(path);
  using(directory, () => {
    for (let slash = rest.indexOf('/'); slash >= 0; slash = rest.indexOf('/', slash + 1)) {
      try {
        directory.createDirectoryAt(rest.slice(0, slash));
      } catch (error) {
        if (error?.payload !== 'exist') told('make the directories of', path, () => { throw error; });
      }
    }
  });
}

/** A file that is read or written from its start. */
export class File {
  #descriptor;
  #path;
  #offset = 0n;

  constructor(path, openFlags, flags) {
    this.#path = path;
    const [directory, rest] = lent(path);
    const doing = flags.write ? 'write' : 'read';
    this.#descriptor = using(directory, () =>
      told(doing, path, () => directory.openAt({}, rest, openFlags, flags)));
  }

  /** Begins a new file in the place of an old one. */
  static create(path) {
    return new File(path, { create: true, truncate: true }, { write: true });
  }

  static open(path) {
    return new File(path, {}, { read: true });
  }

  /** The next bytes, at most `max`; none at the end. */
  read(max = CHUNK) {
    return told('read', this.#path, () => {
      const [bytes] = this.#descriptor.read(BigInt(max), this.#offset);
      this.#offset += BigInt(bytes.length);
      return bytes;
    });
  }

  /** Appends all of `bytes`. */
  write(bytes) {
    told('write', this.#path, () => {
      for (let rest = bytes; rest.length > 0; ) {
        const written = this.#descriptor.write(rest, this.#offset);
        this.#offset += written;
        rest = rest.subarray(Number(written));
      }
    });
  }

  [Symbol.dispose]() {
    this.#descriptor[Symbol.dispose]();
  }
}

/** The tag of an error of the contract, whether it was thrown here or by the host. */
export function tagOf(error) {
  return error?.payload?.tag ?? error?.tag;
}

/** All partition keys of a call; none where there are no partitions. */
export function partitionKeys(context) {
  const keys = [];
  const count = context.partitionCount();
  while (keys.length < count) keys.push(...context.partitionKeys(keys.length, 1000));
  return keys;
}

/** An integer as the contract has them. One that is too large would lose its upper bits on the way. */
function int64(value) {
  const integer = BigInt(value);
  if (BigInt.asIntN(64, integer) !== integer) throw new RangeError(`${integer} is no integer of 64 bits`);
  return integer;
}

/** Entries of metadata. */
export const entry = {
  int: (label, value) => ({ label, value: { tag: 'int', val: int64(value) } }),
  text: (label, value) => ({ label, value: { tag: 'text', val: value } }),
  json: (label, value) => ({ label, value: { tag: 'json', val: JSON.stringify(value) } }),
  path: (label, value) => ({ label, value: { tag: 'tagged', val: ['path', value] } }),
};
