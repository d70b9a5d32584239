// An op that gives the lines of its inputs, each with its number.

import { CHUNK, entry, fail, using } from './bindings/airlock.js';

const OUTPUT = 'result';
const TEXT = 'text/plain';
const NEWLINE = '\n'.charCodeAt(0);

/** @type {import('./bindings/airlock.js').Op} */
export const op = {
  run(context) {
    let lines = 0;
    using(context.output(OUTPUT), (sink) => {
      sink.begin(undefined, TEXT);
      const output = new Buffered(sink);
      for (const name of context.inputs()) {
        using(context.input(name), (input) => {
          // An input has several parts where it is of several partitions.
          for (let part; (part = input.next()) !== undefined; ) {
            using(part, (part) => {
              if (part.mediaType() !== TEXT) {
                throw fail.unsupportedType(`the input \`${name}\` is of the type ${part.mediaType()}, and not ${TEXT}`);
              }
              lines = number(part, output, lines);
            });
          }
        });
      }
      output.flush();
    });
    context.addOutputMetadata(OUTPUT, [entry.int('lines', lines)]);
  },
};

/**
 * Numbers the lines of a part, chunk by chunk, from the one after `lines` on, and gives the number of the last.
 *
 * @param {import('./bindings/airlock.js').Reader} part
 * @param {Buffered} output
 * @param {number} lines
 */
function number(part, output, lines) {
  let within = false;
  for (let chunk; (chunk = part.read(CHUNK)).length > 0; ) {
    for (let start = 0; start < chunk.length; ) {
      const end = chunk.indexOf(NEWLINE, start) + 1 || chunk.length;
      if (!within) output.text(`${++lines}\t`);
      output.write(chunk.subarray(start, end));
      within = chunk[end - 1] !== NEWLINE;
      start = end;
    }
  }
  if (within) output.text('\n');
  return lines;
}

/** Writes to a sink in chunks as large as the host takes them. */
class Buffered {
  #buffer = new Uint8Array(CHUNK);
  #length = 0;
  #sink;

  /** @param {import('./bindings/airlock.js').Sink} sink */
  constructor(sink) {
    this.#sink = sink;
  }

  /** @param {string} text */
  text(text) {
    this.write(new TextEncoder().encode(text));
  }

  /** @param {Uint8Array} bytes */
  write(bytes) {
    while (bytes.length > 0) {
      const room = this.#buffer.subarray(this.#length, this.#length + bytes.length);
      room.set(bytes.subarray(0, room.length));
      this.#length += room.length;
      bytes = bytes.subarray(room.length);
      if (this.#length === CHUNK) this.flush();
    }
  }

  flush() {
    this.#sink.write(this.#buffer.subarray(0, this.#length));
    this.#length = 0;
  }
}
