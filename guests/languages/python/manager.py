"""An I/O manager that keeps each part of a value as a file."""

import os

from componentize_py_types import Err
from wit_world import exports
from wit_world.imports import types
from wit_world.imports.context import InputContext, OutputContext
from wit_world.imports.types import MetadataEntry
from wit_world.imports.value import Reader, Sink, Source

from errors import contract_error, is_there

EXTENSION = "bin"
OCTETS = "application/octet-stream"
# The most that the host takes at once.
CHUNK = 1 << 20


class Output(exports.Output):
    def handle_output(self, context: OutputContext, value: Source) -> None:
        with contract_error():
            store(context, value)


class Input(exports.Input):
    def load_input(self, context: InputContext, value: Sink) -> None:
        with contract_error():
            load(context, value)


def store(context: OutputContext, value: Source) -> None:
    keys = partition_keys(context)
    parts = size = 0
    media_type = path = None
    while (part := value.next()) is not None:
        with part:
            if parts == 0:
                media_type = part.media_type()
            elif part.media_type() != media_type:
                raise unsupported("the parts of the value differ in their media types")
            key = part.key()
            if key is None and len(keys) > 1:
                raise unsupported(f"one part without a key stands for {len(keys)} partitions")
            if key is None and len(keys) == 1:
                key = keys[0]
            path = "/data/" + context.path(key, EXTENSION)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            size += store_part(part, path)
        parts += 1
    entries = [MetadataEntry("size", types.MetadataValue_Int(size))]
    if parts > 0:
        entries.append(MetadataEntry("media_type", types.MetadataValue_Text(media_type)))
    if parts == 1:
        entries.append(MetadataEntry("path", types.MetadataValue_Tagged(("path", path))))
    context.add_metadata(entries)


def store_part(part: Reader, path: str) -> int:
    """Writes one part to a file of its own, chunk by chunk, and gives its size."""
    size = 0
    with open(path, "wb", buffering=0) as file:
        while chunk := part.read(CHUNK):
            size += len(chunk)
            # What is written at once may be less than all of it.
            rest = memoryview(chunk)
            while rest:
                rest = rest[file.write(rest) :]
    return size


def load(context: InputContext, value: Sink) -> None:
    missing = []
    for key in partition_keys(context) or [None]:
        path = "/data/" + context.path(key, EXTENSION)
        if not is_there(path):
            missing.append(key)
            continue
        value.begin(key, recorded_media_type(context, key))
        # The host moves the bytes. What a guest in Python writes itself stays in its memory until the call ends.
        value.load(path)
    if missing and not context.allow_missing():
        raise Err(types.Error_NotFound([key for key in missing if key is not None]))


def recorded_media_type(context: InputContext, key: str | None) -> str:
    """The media type that is recorded of the stored part."""
    stored = context.upstream(key)
    if stored is not None:
        with stored:
            for entry in stored.stored_metadata():
                if entry.label == "media_type" and isinstance(entry.value, types.MetadataValue_Text):
                    return entry.value.value
    return OCTETS


def partition_keys(context: OutputContext | InputContext) -> list[str]:
    count = context.partition_count()
    return [key for offset in range(0, count, 1000) for key in context.partition_keys(offset, 1000)]


def unsupported(reason: str) -> Err[types.Error]:
    return Err(types.Error_UnsupportedType(reason))
