// The contract as a guest in JavaScript meets it, and what airlock.js adds. 64-bit integers are of the type `bigint`.

/** The parts of an asset key, outermost first. */
export type AssetKey = string[];

/** A half-open interval, in milliseconds since the Unix epoch, UTC. */
export interface TimeWindow {
  startMs: bigint;
  endMs: bigint;
}

export type MetadataValue =
  | { tag: 'null' }
  | { tag: 'boolean'; val: boolean }
  | { tag: 'int'; val: bigint }
  | { tag: 'float'; val: number }
  | { tag: 'text'; val: string }
  | { tag: 'json'; val: string }
  | { tag: 'tagged'; val: [string, string] };

export interface MetadataEntry {
  label: string;
  value: MetadataValue;
}

export interface OtherError {
  code: string;
  message: string;
  retryable: boolean;
}

/** What a guest throws to say what was wrong. */
export type ContractError =
  | { tag: 'not-found'; val: string[] }
  | { tag: 'invalid-config'; val: string }
  | { tag: 'unsupported-type'; val: string }
  | { tag: 'corrupt'; val: string }
  | { tag: 'access-denied'; val: string }
  | { tag: 'conflict'; val: string }
  | { tag: 'limit-exceeded'; val: string }
  | { tag: 'unavailable'; val: string }
  | { tag: 'other'; val: OtherError };

export type Level = 'debug' | 'info' | 'warn' | 'error';

export interface Resource {
  [Symbol.dispose](): void;
}

/** A value to read, part by part. */
export interface Source extends Resource {
  next(): Reader | undefined;
}

/** One part of a value, read from its start. Use it with `using`. */
export interface Reader extends Resource {
  key(): string | undefined;
  mediaType(): string;
  size(): bigint;
  /** The next bytes: at least one and at most `max`; none at the end. */
  read(max: number): Uint8Array;
  rewind(): void;
  digest(): string;
  save(path: string): bigint;
}

/** A value to write, part by part. */
export interface Sink extends Resource {
  begin(key: string | undefined, mediaType: string): void;
  /** At most `CHUNK` bytes. */
  write(bytes: Uint8Array): void;
  load(path: string): bigint;
}

export interface AssetEvent {
  assetKey: AssetKey;
  partition?: string;
  description?: string;
  metadata: MetadataEntry[];
}

/** What all contexts say of partitions. */
export interface Partitioned {
  partitionCount(): number;
  partitionKeys(offset: number, max: number): string[];
  partitionDimensions(key: string): [string, string][];
  timeWindow(): TimeWindow | undefined;
  timeZone(): string | undefined;
}

/** The output that is stored. */
export interface OutputContext extends Resource, Partitioned {
  runId(): string;
  stepKey(): string;
  attempt(): number;
  outputName(): string;
  assetKey(): AssetKey | undefined;
  path(key: string | undefined, extension: string): string;
  config(): string;
  outputConfig(): string;
  definitionMetadata(): MetadataEntry[];
  runtimeMetadata(): MetadataEntry[];
  addMetadata(entries: MetadataEntry[]): void;
  setDataVersion(version: string): void;
  logMaterialization(event: AssetEvent): void;
  logObservation(event: AssetEvent): void;
  log(level: Level, message: string): void;
}

/** The input that is loaded. */
export interface InputContext extends Resource, Partitioned {
  runId(): string | undefined;
  stepKey(): string | undefined;
  inputName(): string | undefined;
  assetKey(): AssetKey | undefined;
  allowMissing(): boolean;
  upstream(key: string | undefined): StoredOutput | undefined;
  path(key: string | undefined, extension: string): string;
  requestedType(): string | undefined;
  columns(): string[];
  config(): string;
  inputConfig(): string;
  definitionMetadata(): MetadataEntry[];
  addMetadata(entries: MetadataEntry[]): void;
  logObservation(event: AssetEvent): void;
  log(level: Level, message: string): void;
}

/** An output as it was stored. Use it with `using`. */
export interface StoredOutput extends Resource {
  runId(): string | undefined;
  stepKey(): string | undefined;
  outputName(): string;
  mappingKey(): string | undefined;
  outputConfig(): string;
  definitionMetadata(): MetadataEntry[];
  storedMetadata(): MetadataEntry[];
  dataVersion(): string | undefined;
}

/** The step that is computed. */
export interface OpContext extends Resource, Partitioned {
  runId(): string;
  stepKey(): string;
  attempt(): number;
  config(): string;
  inputs(): string[];
  outputs(): string[];
  /** Its parts are loaded as they are asked for. Use it with `using`. */
  input(name: string): Source;
  /** An output in which nothing is begun is skipped. Use it with `using`. */
  output(name: string): Sink;
  addOutputMetadata(output: string, entries: MetadataEntry[]): void;
  addPartMetadata(output: string, key: string, entries: MetadataEntry[]): void;
  log(level: Level, message: string): void;
}

/** What an op exports as `op`. */
export interface Op {
  run(context: OpContext): void;
}

/** What an I/O manager exports as `output`. */
export interface OutputManager {
  handleOutput(context: OutputContext, value: Source): void;
}

/** What an I/O manager exports as `input`. */
export interface InputManager {
  loadInput(context: InputContext, value: Sink): void;
}

/** How much to read or write at once: the most that the host takes. */
export const CHUNK: number;

/** Errors of the contract, to be thrown. */
export const fail: {
  notFound(keys?: string[]): ContractError;
  unsupportedType(reason: string): ContractError;
  corrupt(reason: string): ContractError;
  invalidConfig(reason: string): ContractError;
  other(code: string, message: string, retryable?: boolean): ContractError;
};

/** Uses a resource and gives it back, also after an error. */
export function using<R extends Resource, T>(resource: R, use: (resource: R) => T): T;

/** Makes the directories that `path` lies in, where they are not there yet. */
export function makeParents(path: string): void;

/** A file that is read or written from its start. Its errors are those of the contract. */
export class File implements Resource {
  /** Begins a new file in the place of an old one. */
  static create(path: string): File;
  static open(path: string): File;
  /** The next bytes, at most `max`; none at the end. */
  read(max?: number): Uint8Array;
  /** Appends all of `bytes`. */
  write(bytes: Uint8Array): void;
  [Symbol.dispose](): void;
}

/** The tag of an error of the contract, whether it was thrown by the guest or by the host. */
export function tagOf(error: unknown): ContractError['tag'] | undefined;

/** All partition keys of a call; none where there are no partitions. */
export function partitionKeys(context: Partitioned): string[];

/** Entries of metadata. */
export const entry: {
  int(label: string, value: number | bigint): MetadataEntry;
  text(label: string, value: string): MetadataEntry;
  json(label: string, value: unknown): MetadataEntry;
  path(label: string, value: string): MetadataEntry;
};

/** What the engine has beside the language, of which most guests need no more than this. */
declare global {
  class TextEncoder {
    encode(text: string): Uint8Array;
  }
  class TextDecoder {
    /** With `fatal` it throws at what is no text in UTF-8. */
    constructor(encoding?: 'utf-8', options?: { fatal?: boolean; ignoreBOM?: boolean });
    /** With `stream` a character may go on in the next bytes. */
    decode(bytes?: Uint8Array, options?: { stream?: boolean }): string;
  }
}
