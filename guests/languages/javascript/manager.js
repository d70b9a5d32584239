// An I/O manager that keeps each part of a value as a file.

import { entry, fail, partitionKeys, tagOf, using } from './bindings/airlock.js';

const EXTENSION = 'bin';
const OCTETS = 'application/octet-stream';

/** @type {import('./bindings/airlock.js').OutputManager} */
export const output = {
  handleOutput(context, value) {
    const keys = partitionKeys(context);
    let parts = 0;
    let size = 0n;
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
        // The host moves the bytes, chunk by chunk, so that however many there are, none are in the memory of the engine.
        size += part.save(path);
      });
    }
    const entries = [entry.int('size', size)];
    if (parts > 0) entries.push(entry.text('media_type', mediaType));
    if (parts === 1) entries.push(entry.path('path', path));
    context.addMetadata(entries);
  },
};

/** @type {import('./bindings/airlock.js').InputManager} */
export const input = {
  loadInput(context, value) {
    const keys = partitionKeys(context);
    const missing = [];
    let absent = false;
    for (const key of keys.length > 0 ? keys : [undefined]) {
      value.begin(key, recordedMediaType(context, key));
      try {
        value.load('/data/' + context.path(key, EXTENSION));
      } catch (error) {
        // Nothing was begun then.
        if (tagOf(error) !== 'not-found') throw error;
        absent = true;
        if (key !== undefined) missing.push(key);
      }
    }
    if (absent && !context.allowMissing()) throw fail.notFound(missing);
  },
};

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
