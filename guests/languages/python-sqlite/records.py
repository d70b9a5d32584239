"""JSON records, one by one: of an array of objects, or of an object on each line."""

import codecs
import json
from collections.abc import Iterable, Iterator

# What a record may be long, in characters.
LONGEST = 16 << 20

_SPACE = " \t\r\n"
_WHOLE = range(-(1 << 63), 1 << 63)


class NotRecords(Exception):
    """The value is something else."""


def records(chunks: Iterable[bytes]) -> Iterator[dict]:
    """Parses what it needs of `chunks` for the next record."""
    decoder = json.JSONDecoder()
    texts = _texts(chunks)
    buffer, position, is_array, ended = "", 0, None, False
    while True:
        while position < len(buffer) and buffer[position] in _SPACE:
            position += 1
        if position < len(buffer):
            if is_array is None:
                is_array = buffer[position] == "["
                position += is_array
                expects_comma = False
                continue
            if is_array and buffer[position] == "]":
                if buffer[position + 1 :].strip(_SPACE) or any(text.strip(_SPACE) for text in texts):
                    raise NotRecords("something follows the end of the array")
                return
            if is_array and expects_comma and buffer[position] == ",":
                position += 1
                expects_comma = False
                continue
            try:
                record, end = decoder.raw_decode(buffer, position)
            except json.JSONDecodeError as error:
                if ended:
                    raise NotRecords(f"it is no JSON: {error}") from error
            else:
                if is_array and expects_comma:
                    raise NotRecords("a comma is missing between two records")
                if not isinstance(record, dict):
                    raise NotRecords("it is no array of objects, and no object on each line")
                yield record
                position, expects_comma = end, True
                continue
        elif ended:
            if is_array:
                raise NotRecords("the array does not end")
            return
        if len(buffer) - position > LONGEST:
            raise NotRecords(f"a record is longer than {LONGEST} characters")
        text = next(texts, None)
        ended = text is None
        buffer, position = buffer[position:] + (text or ""), 0


def _texts(chunks: Iterable[bytes]) -> Iterator[str]:
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        for chunk in chunks:
            yield decoder.decode(chunk)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError as error:
        raise NotRecords(f"it is no UTF-8: {error}") from error


def kind_of(item: object) -> str | None:
    """The kind of column that an item needs; none for null."""
    match item:
        case None:
            return None
        case bool():
            return "BOOLEAN"
        case int() if item in _WHOLE:
            return "INTEGER"
        case float():
            return "REAL"
        case str():
            return "TEXT"
        case _:
            return "JSON"


def merged(left: str | None, right: str | None) -> str | None:
    """The kind of a column that has items of both kinds."""
    if left == right or right is None:
        return left
    if left is None:
        return right
    return "REAL" if {left, right} == {"INTEGER", "REAL"} else "JSON"
