// An I/O manager that keeps each part of a value as a file.

import { CHUNK, File, entry, fail, makeParents, partitionKeys, tagOf, using } from './bindings/airlock.js';

const EXTENSION = 'bin';
const OCTETS = 'application/octet-stream';

/** @type {import('./bindings/airlock.js').OutputManager} */
export const output = {
  handleOutput(context, value) {
    const keys = partitionKeys(context);
    let parts = 0;
    let size = 0;
    let mediaType = '';
    let path = '';
    for (let part; (part = value.next()) !== undefined; parts++) {
      using(part, (part) => {
        if (parts === 0) mediaType = part.mediaType();
        if (part.mediaType() !== mediaType) {
          throw fail.unsupportedType('the parts of the value differ in their media types');
        }
        if (part.key() === undefined && keys.length > 1) {
          throw fail.unsupportedType(`one part without a key stands for ${keys.length} partitions`);
        }
        path = '/data/' + context.path(part.key() ?? keys[0], EXTENSION);
        makeParents(path);
        size += storePart(part, path);
      });
    }
    const entries = [entry.int('size', size)];
    if (parts > 0) entries.push(entry.text('media_type', mediaType));
    if (parts === 1) entries.push(entry.path('path', path));
    context.addMetadata(entries);
  },
};

/**
 * Writes one part to a file of its own, chunk by chunk, and gives its size.
 *
 * @param {import('./bindings/airlock.js').Reader} part
 * @param {string} path
 */
function storePart(part, path) {
  return using(File.create(path), (file) => {
    let size = 0;
    for (let chunk; (chunk = part.read(CHUNK)).length > 0; size += chunk.length) file.write(chunk);
    return size;
  });
}

/** @type {import('./bindings/airlock.js').InputManager} */
export const input = {
  loadInput(context, value) {
    const keys = partitionKeys(context);
    const missing = [];
    let absent = false;
    for (const key of keys.length > 0 ? keys : [undefined]) {
      const file = openPresent('/data/' + context.path(key, EXTENSION));
      if (file === undefined) {
        absent = true;
        if (key !== undefined) missing.push(key);
        continue;
      }
      using(file, (file) => {
        value.begin(key, recordedMediaType(context, key));
        for (let chunk; (chunk = file.read()).length > 0; ) value.write(chunk);
      });
    }
    if (absent && !context.allowMissing()) throw fail.notFound(missing);
  },
};

/** @param {string} path */
function openPresent(path) {
  try {
    return File.open(path);
  } catch (error) {
    if (tagOf(error) === 'not-found') return undefined;
    throw error;
  }
}

/**
 * The media type that is recorded of the stored part.
 *
 * @param {import('./bindings/airlock.js').InputContext} context
 * @param {string | undefined} key
 */
function recordedMediaType(context, key) {
  const stored = context.upstream(key);
  if (stored === undefined) return OCTETS;
  const found = using(stored, (stored) => stored.storedMetadata().find(({ label }) => label === 'media_type'));
  return found?.value.tag === 'text' ? found.value.val : OCTETS;
}
