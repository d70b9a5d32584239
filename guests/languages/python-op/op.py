"""An op that gives the lines of its inputs, each with its number."""

import io

from componentize_py_types import Err
from wit_world import exports
from wit_world.imports import types
from wit_world.imports.op_run import OpContext
from wit_world.imports.types import MetadataEntry
from wit_world.imports.value import Reader, Sink

OUTPUT = "result"
TEXT = "text/plain"
# The most that the host takes at once.
CHUNK = 1 << 20


class Op(exports.Op):
    def run(self, context: OpContext) -> None:
        lines = 0
        with context.output(OUTPUT) as sink:
            sink.begin(None, TEXT)
            for name in context.inputs():
                with context.input(name) as source:
                    # An input has several parts where it is of several partitions.
                    while (part := source.next()) is not None:
                        with part:
                            if part.media_type() != TEXT:
                                reason = f"the input `{name}` is of the type {part.media_type()}, and not {TEXT}"
                                raise Err(types.Error_UnsupportedType(reason))
                            lines = number(part, sink, lines)
        context.add_output_metadata(OUTPUT, [MetadataEntry("lines", types.MetadataValue_Int(lines))])


def number(part: Reader, sink: Sink, lines: int) -> int:
    """Numbers the lines of a part, chunk by chunk, from the one after `lines` on, and gives the number of the last."""
    within = False
    while chunk := part.read(CHUNK):
        numbered = bytearray()
        for line in io.BytesIO(chunk):
            if not within:
                lines += 1
                numbered += b"%d\t" % lines
            numbered += line
            # It goes on in the next chunk where it does not end in this one.
            within = not line.endswith(b"\n")
        write(sink, numbered)
    if within:
        sink.write(b"\n")
    return lines


def write(sink: Sink, data: bytes) -> None:
    for start in range(0, len(data), CHUNK):
        sink.write(bytes(data[start : start + CHUNK]))
