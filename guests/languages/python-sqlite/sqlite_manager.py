"""An I/O manager that keeps JSON records as SQLite databases: a table `records` in each, with a column for each key."""

import json
import os
import sqlite3
from collections.abc import Iterable, Iterator
from urllib.parse import quote

from componentize_py_types import Err
from wit_world import exports
from wit_world.imports import types
from wit_world.imports.context import InputContext, OutputContext
from wit_world.imports.types import MetadataEntry
from wit_world.imports.value import Reader, Sink, Source

from errors import contract_error, is_there
from records import NotRecords, records, kind_of, merged

EXTENSION = "sqlite"
CHUNK = 1 << 20

# Columns of other kinds than SQLite has are declared with these words, and come back through them.
sqlite3.register_converter("BOOLEAN", lambda text: text != b"0")
sqlite3.register_converter("JSON", json.loads)


class Output(exports.Output):
    def handle_output(self, context: OutputContext, value: Source) -> None:
        rows, columns, parts = 0, [], 0
        with contract_error():
            while (part := value.next()) is not None:
                with part:
                    path = "/data/" + context.path(part.key() or only_key(context), EXTENSION)
                    os.makedirs(os.path.dirname(path), exist_ok=True)
                    stored, columns = store(part, path)
                rows += stored
                parts += 1
        entries = [MetadataEntry("rows", types.MetadataValue_Int(rows))]
        if parts == 1:
            entries.append(MetadataEntry("columns", types.MetadataValue_Json(json.dumps(columns))))
            entries.append(MetadataEntry("path", types.MetadataValue_Tagged(("path", path))))
        context.add_metadata(entries)


def only_key(context: OutputContext) -> str | None:
    keys = context.partition_keys(0, 2)
    if len(keys) > 1:
        raise Err(types.Error_UnsupportedType("one part without a key stands for several partitions"))
    return keys[0] if keys else None


def store(part: Reader, path: str) -> tuple[int, list[str]]:
    """Writes a part as a database, in two passes: the first finds the columns. Neither holds more than a record."""
    try:
        columns: dict[str, str] = {}
        for record in records(chunks(part)):
            for key, item in record.items():
                if not key:
                    raise NotRecords("a key without a character is no name of a column")
                columns[key] = merged(columns.get(key), kind_of(item))
        part.rewind()
        # An old database is no beginning of a new one.
        with open(path, "wb"):
            pass
        # Nobody else sees the file before the call has succeeded, so it needs no locks and no journal.
        database = sqlite3.connect(f"file:{quote(path)}?vfs=unix-none", uri=True, isolation_level=None)
        try:
            database.execute("pragma journal_mode = off")
            database.execute("pragma synchronous = off")
            database.execute("begin")
            # SQLite has no table without a column.
            declared = ", ".join(f"{quoted(key)} {declared_type(kind)}" for key, kind in columns.items()) or '"" null'
            database.execute(f"create table records ({declared})")
            holes = ", ".join("?" * len(columns)) or "null"
            rows = database.executemany(
                f"insert into records values ({holes})", values(records(chunks(part)), columns)
            ).rowcount
            database.execute("commit")
        finally:
            database.close()
        return max(rows, 0), list(columns)
    except NotRecords as error:
        raise Err(types.Error_UnsupportedType(str(error))) from error
    except sqlite3.Error as error:
        raise Err(types.Error_UnsupportedType(f"the records do not fit into a database: {error}")) from error


def declared_type(kind: str | None) -> str:
    # Without `TEXT` SQLite takes the digits of a number for the number, as far as a double holds it.
    return "JSON TEXT" if kind == "JSON" else kind or ""


def values(parsed: Iterable[dict], columns: dict[str, str]) -> Iterator[list]:
    for record in parsed:
        yield [
            json.dumps(record[key]) if kind == "JSON" and record.get(key) is not None else record.get(key)
            for key, kind in columns.items()
        ]


class Input(exports.Input):
    def load_input(self, context: InputContext, value: Sink) -> None:
        config = json.loads(context.input_config()) or {}
        query = config.get("query", "select * from records")
        missing = []
        with contract_error():
            for key in partition_keys(context) or [None]:
                path = "/data/" + context.path(key, EXTENSION)
                if is_there(path):
                    load(path, query, value, key)
                else:
                    missing.append(key)
        if missing and not context.allow_missing():
            raise Err(types.Error_NotFound([key for key in missing if key is not None]))


def load(path: str, query: str, value: Sink, key: str | None) -> None:
    # `immutable`: nothing changes while it is read, so nothing is locked.
    uri = f"file:{quote(path)}?mode=ro&immutable=1&vfs=unix-none"
    database = sqlite3.connect(uri, uri=True, detect_types=sqlite3.PARSE_DECLTYPES)
    try:
        # Errors of the query are errors of whoever configured it; the file is to be asked first.
        try:
            database.execute("select count(*) from records limit 1")
        except sqlite3.Error as error:
            raise Err(types.Error_Corrupt(f"{path} is no database of records: {error}")) from error
        cursor = database.execute(query)
        names = [column[0] for column in cursor.description or []]
        value.begin(key, "application/json")
        buffer = bytearray(b"[")
        for number, row in enumerate(cursor):
            buffer += b"," if number else b""
            # A column without a name stands for a table without a column.
            record = {name: item for name, item in zip(names, row) if name}
            buffer += json.dumps(record, separators=(",", ":")).encode()
            while len(buffer) >= CHUNK:
                value.write(bytes(buffer[:CHUNK]))
                del buffer[:CHUNK]
        value.write(bytes(buffer + b"]"))
    except sqlite3.Error as error:
        raise Err(types.Error_InvalidConfig(f"the query {query!r} cannot be answered: {error}")) from error
    finally:
        database.close()


def chunks(part: Reader) -> Iterator[bytes]:
    while chunk := part.read(CHUNK):
        yield chunk


def partition_keys(context: InputContext) -> list[str]:
    count = context.partition_count()
    return [key for offset in range(0, count, 1000) for key in context.partition_keys(offset, 1000)]


def quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
