"""What a command of a pipeline finds its inputs with, and gives its outputs.

It needs nothing but Python's standard library, and Airlock puts it where `import airlock` finds it.

    import airlock

    days = airlock.load_json("days")
    airlock.add_metadata(count=len(days))
    airlock.store_json({"count": len(days)})
"""

import json
import os
import re
from datetime import datetime
from pathlib import Path


def _variable(name, missing):
    value = os.environ.get(name)
    if value is None:
        raise LookupError(missing)
    return value


def _upper(name):
    return re.sub("[^A-Za-z0-9]", "_", name).upper()


def _input_variable(name):
    return "AIRLOCK_INPUT_" + _upper(name)


def _no_input(name):
    return f"this step has no input {name!r}: name it in `inputs`, and ask `has_input` for one that may be missing"


def partition(dimension=None):
    """The key of the partition that this step computes, such as "2012-01-01"; of several dimensions that of one."""
    if dimension is not None:
        missing = f"the partition that this step computes has not several dimensions, or none called {dimension!r}"
        return _variable("AIRLOCK_PARTITION_" + _upper(dimension), missing)
    missing = "this step computes no partition: its asset has none"
    if "AIRLOCK_PARTITIONS" in os.environ:
        missing = "this step computes any number of partitions: ask `partitions` for their keys"
    return _variable("AIRLOCK_PARTITION", missing)


def _partitions():
    missing = "this step does not compute several partitions: its asset has no `partitions_per_step`"
    with open(_variable("AIRLOCK_PARTITIONS", missing), encoding="utf-8") as file:
        return json.load(file)


def partitions():
    """The keys of the partitions that this step computes, in order, where its asset has `partitions_per_step`."""
    return [listed["partition"] for listed in _partitions()]


def partition_window():
    """The time of the partition that this step computes: from its start to the first moment after it."""
    names = ("AIRLOCK_PARTITION_START", "AIRLOCK_PARTITION_END")
    return tuple(datetime.fromisoformat(_variable(name, "this step computes no partition of time")) for name in names)


def has_input(name):
    """Whether the input `name` is there; one that may be missing need not be."""
    return _input_variable(name) in os.environ


def input_path(name):
    """The path of the file that has the input `name`; of several partitions the directory of their files."""
    return Path(_variable(_input_variable(name), _no_input(name)))


def input_media_type(name):
    """The media type of the input `name`, such as "text/csv"."""
    return _variable(_input_variable(name) + "_MEDIA_TYPE", _no_input(name))


def input_partitions(name):
    """The paths of the files that have the partitions of the input `name`, by their keys, in order."""
    variable = _input_variable(name) + "_PARTITIONS"
    input_path(name)
    missing = f"the input {name!r} is one value, and not a number of partitions: load it by `load_text` and its like"
    with open(_variable(variable, missing), encoding="utf-8") as file:
        return {listed["partition"]: Path(listed["path"]) for listed in json.load(file)}


def load_bytes(name):
    """The bytes of the input `name`."""
    path = input_path(name)
    if path.is_dir():
        raise LookupError(f"the input {name!r} is a number of partitions: ask `input_partitions` for their files")
    return path.read_bytes()


def load_text(name):
    """The input `name` as text."""
    return load_bytes(name).decode("utf-8")


def load_json(name):
    """The input `name`, a JSON document."""
    return json.loads(load_bytes(name))


def mapping_key():
    """The mapping key of the element of a dynamic output that this step is done for."""
    return _variable("AIRLOCK_MAPPING_KEY", "this step is not done for an element of a dynamic output: it has no `each`")


def _output_suffix(output):
    return "" if output == "result" else "_" + re.sub("[^A-Za-z0-9]", "_", output).upper()


def output_path(output="result", mapping_key=None, partition=None):
    """The path of the file to write the output to, or an element of a dynamic output, or one of several partitions."""
    missing = f'this step has no output {output!r}, or it is defined with `type = "none"`'
    path = Path(_variable("AIRLOCK_OUTPUT" + _output_suffix(output), missing))
    if "AIRLOCK_PARTITIONS" in os.environ:
        for listed in _partitions():
            if listed["partition"] == partition:
                return Path(_entry(listed["outputs"], output, missing))
        raise LookupError(
            f"the output {output!r} has several partitions: name the `partition`"
            if partition is None
            else f"this step does not compute the partition {partition!r}: `partitions` has those that it computes"
        )
    if partition is not None:
        raise LookupError(f"the output {output!r} is one value: its asset has no `partitions_per_step`")
    if path.is_dir() != (mapping_key is not None):
        raise LookupError(
            f"the output {output!r} is dynamic: name the `mapping_key` of an element"
            if mapping_key is None
            else f"the output {output!r} is one value, and has no mapping keys: it is not `dynamic`"
        )
    return path if mapping_key is None else path / mapping_key


def store_bytes(data, output="result", mapping_key=None, partition=None):
    """Gives `data` as the output, as an element of a dynamic output, or as one of several partitions."""
    output_path(output, mapping_key, partition).write_bytes(data)


def store_text(text, output="result", mapping_key=None, partition=None):
    """Gives `text` as the output, as an element of a dynamic output, or as one of several partitions."""
    store_bytes(text.encode("utf-8"), output, mapping_key, partition)


def store_json(value, output="result", mapping_key=None, partition=None):
    """Gives `value`, a JSON document, as the output, as an element of a dynamic output, or as one of several partitions."""
    store_text(json.dumps(value, ensure_ascii=False, allow_nan=False), output, mapping_key, partition)


def add_metadata(**entries):
    """Records facts about the output, beside those added before."""
    add_output_metadata("result", entries)


def _metadata_path(output, mapping_key, partition):
    missing = f"this step has no output {output!r}, or was not started by Airlock"
    if partition is not None:
        for listed in _partitions():
            if listed["partition"] == partition:
                return Path(_entry(listed["metadata"], output, missing))
        raise LookupError(f"this step does not compute the partition {partition!r}: `partitions` has those that it computes")
    if mapping_key is not None:
        several = f"the output {output!r} is one value, and has no mapping keys: it is not `dynamic`"
        return Path(_variable("AIRLOCK_PART_METADATA" + _output_suffix(output), several)) / f"{mapping_key}.json"
    return Path(_variable("AIRLOCK_METADATA" + _output_suffix(output), missing))


def _entry(table, key, missing):
    if key not in table:
        raise LookupError(missing)
    return table[key]


def add_output_metadata(output, entries, mapping_key=None, partition=None):
    """Records facts about the output `output`, a dictionary, beside those added before.

    With `mapping_key` they are of that element of a dynamic output, and with `partition` of that of several partitions.
    """
    path = _metadata_path(output, mapping_key, partition)
    recorded = json.loads(path.read_bytes()) if path.exists() else {}
    recorded.update(entries)
    path.write_bytes(json.dumps(recorded, ensure_ascii=False, allow_nan=False).encode("utf-8"))
