"""Times Dagster doing what `make bench` times Airlock doing, and prints medians in seconds as JSON.

Run by the Python of a virtual environment that has Dagster; `make bench DAGSTER=path/to/python` does.

    python measure_dagster.py FOLDER      # FOLDER: where values go, best in memory
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


def median(function, times):
    samples = []
    for _ in range(times + 1):
        start = time.perf_counter()
        function()
        samples.append(time.perf_counter() - start)
    return statistics.median(samples[1:])


def per_call(folder, size, times):
    manager = dagster.FilesystemIOManager(base_dir=folder).create_io_manager(dagster.build_init_resource_context())
    value = os.urandom(size)
    stored, loaded = [], []
    for _ in range(times + 1):
        output = dagster.build_output_context(step_key="s", name="result", asset_key=["bench", "value"])
        source = dagster.build_input_context(asset_key=["bench", "value"], upstream_output=output)
        start = time.perf_counter()
        manager.handle_output(output, value)
        middle = time.perf_counter()
        assert manager.load_input(source) == value
        end = time.perf_counter()
        stored.append(middle - start)
        loaded.append(end - middle)
    return statistics.median(stored[1:]), statistics.median(loaded[1:])


def chain(length):
    @dagster.asset(name="a0")
    def first():
        return b"x" * 1024

    assets = [first]
    for index in range(1, length):

        @dagster.asset(name=f"a{index}", ins={"up": dagster.AssetIn(f"a{index - 1}")})
        def step(up):
            return up

        assets.append(step)
    return assets


def main():
    folder = sys.argv[1]
    result = {"version": dagster.__version__, "python": sys.version.split()[0]}
    for name, size, times in [("1 KiB", 1 << 10, 50), ("1 MiB", 1 << 20, 30), ("256 MiB", 256 << 20, 3)]:
        result[f"store {name}"], result[f"load {name}"] = per_call(folder, size, times)

    with tempfile.TemporaryDirectory() as home:
        instance = dagster.DagsterInstance.local_temp(home)
        resources = {"io_manager": dagster.FilesystemIOManager(base_dir=folder)}
        assets = chain(10)

        def run():
            assert dagster.materialize(assets, instance=instance, resources=resources).success

        result["step of a chain of 10"] = median(run, 5) / 10

    with tempfile.TemporaryDirectory() as home:
        path = os.path.join(home, "one.py")
        with open(path, "w", encoding="utf-8") as file:
            file.write(CLI_FILE)
        command = [os.path.join(os.path.dirname(sys.executable), "dagster"), "asset", "materialize", "--select", "one"]
        environment = dict(os.environ, DAGSTER_HOME=home)

        def materialize():
            subprocess.run(command + ["-f", path], env=environment, check=True, capture_output=True)

        result["run of one asset, whole process"] = median(materialize, 3)

    json.dump(result, sys.stdout)


main()
