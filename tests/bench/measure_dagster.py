"""Times Dagster doing what `make bench` times Airlock doing, and prints medians in seconds as JSON.

Run by the Python of a virtual environment that has Dagster; `make bench DAGSTER=path/to/python` does. Tables are measured
where that has pandas and pyarrow too.

    python measure_dagster.py FOLDER GROUP...

FOLDER is where values go that are stored outside a run, best in memory; the groups are those of `airlock-bench`.
"""

import json
import logging
import os
import statistics
import subprocess
import sys
import tempfile
import time

os.environ["DAGSTER_DISABLE_TELEMETRY"] = "1"
logging.disable(logging.CRITICAL)

import dagster  # noqa: E402

CLI_FILE = """
from dagster import Definitions, asset

@asset
def one():
    return b"1"

definitions = Definitions(assets=[one])
"""


def medians(function, times):
    """The median time and CPU time of `function`, which is given the number of the round; the first is not counted."""
    spent, computed = [], []
    for index in range(times + 1):
        start, cpu = time.perf_counter(), time.process_time()
        function(index)
        spent.append(time.perf_counter() - start)
        computed.append(time.process_time() - cpu)
    return statistics.median(spent[1:]), statistics.median(computed[1:])


def per_call(manager, value, times, same):
    stored, loaded = [], []
    for _ in range(times + 1):
        output = dagster.build_output_context(step_key="s", name="result", asset_key=["bench", "value"])
        source = dagster.build_input_context(asset_key=["bench", "value"], upstream_output=output)
        start = time.perf_counter()
        manager.handle_output(output, value)
        middle = time.perf_counter()
        back = manager.load_input(source)
        end = time.perf_counter()
        assert same(back, value)
        stored.append(middle - start)
        loaded.append(end - middle)
    return statistics.median(stored[1:]), statistics.median(loaded[1:])


def values(folder):
    manager = dagster.FilesystemIOManager(base_dir=folder).create_io_manager(dagster.build_init_resource_context())
    result = {}
    for name, size, times in [("1 KiB", 1 << 10, 50), ("1 MiB", 1 << 20, 30), ("256 MiB", 256 << 20, 3)]:
        spent = per_call(manager, os.urandom(size), times, lambda a, b: a == b)
        result[f"store {name}"], result[f"load {name}"] = spent
    return result


def tables(folder):
    try:
        import numpy
        import pandas
        import pyarrow  # noqa: F401
    except ImportError:
        return {}
    from upath import UPath

    class ParquetIOManager(dagster.UPathIOManager):
        extension = ".parquet"

        def dump_to_path(self, context, obj, path):
            with path.open("wb") as file:
                obj.to_parquet(file)

        def load_from_path(self, context, path):
            with path.open("rb") as file:
                return pandas.read_parquet(file)

    rows = 1_000_000
    random = numpy.random.default_rng(0)
    table = pandas.DataFrame(
        {
            "number": numpy.arange(rows, dtype=numpy.int64),
            "value": random.random(rows),
            "time": pandas.Timestamp("2013-01-01") + pandas.to_timedelta(numpy.arange(rows), unit="s"),
            "key": numpy.char.add("key-", random.integers(0, 10**6, rows).astype(str)),
        }
    )
    spent = per_call(ParquetIOManager(base_path=UPath(folder)), table, 7, lambda a, b: a.equals(b))
    return {"store 1,000,000 rows": spent[0], "load 1,000,000 rows": spent[1]}


def materialize_medians(assets, times, partition=lambda _: None):
    """What runs of `assets` take in this process, with an instance and values on a disk."""
    with tempfile.TemporaryDirectory() as home:
        instance = dagster.DagsterInstance.local_temp(home)
        resources = {"io_manager": dagster.FilesystemIOManager(base_dir=os.path.join(home, "values"))}

        def run(index):
            key = partition(index)
            assert dagster.materialize(assets, instance=instance, resources=resources, partition_key=key).success

        return medians(run, times)


def chain(_):
    length = 10

    @dagster.asset(name="a0")
    def first():
        return b"x" * 1024

    assets = [first]
    for index in range(1, length):

        @dagster.asset(name=f"a{index}", ins={"up": dagster.AssetIn(f"a{index - 1}")})
        def step(up):
            return up

        assets.append(step)
    return {"step of a chain of 10": materialize_medians(assets, 5)[0] / length}


def partitions(_):
    keys = [f"{number:05}" for number in range(1000)]

    @dagster.asset(partitions_def=dagster.StaticPartitionsDefinition(keys))
    def one():
        return b"x" * 1024

    spent, computed = materialize_medians([one], 20, lambda index: keys[index])
    return {"partition": spent, "CPU of a partition": computed}


def process(_):
    with tempfile.TemporaryDirectory() as home:
        path = os.path.join(home, "one.py")
        with open(path, "w", encoding="utf-8") as file:
            file.write(CLI_FILE)
        command = [os.path.join(os.path.dirname(sys.executable), "dagster"), "asset", "materialize", "--select", "one"]
        environment = dict(os.environ, DAGSTER_HOME=home)

        def materialize(_):
            subprocess.run(command + ["-f", path], env=environment, check=True, capture_output=True)

        return {"run of one asset, whole process": medians(materialize, 3)[0]}


MEASURED = {"values": values, "tables": tables, "chain": chain, "partitions": partitions, "process": process}


def main():
    folder, groups = sys.argv[1], sys.argv[2:]
    result = {"version": dagster.__version__, "python": sys.version.split()[0]}
    for group in groups:
        if group in MEASURED:
            result.update(MEASURED[group](folder))
    json.dump(result, sys.stdout)


main()
