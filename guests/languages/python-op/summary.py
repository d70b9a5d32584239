"""An op that sums up a column of all its inputs, with the statistics of the standard library."""

import json
import statistics

from componentize_py_types import Err
from wit_world import exports
from wit_world.imports import types
from wit_world.imports.op_run import OpContext
from wit_world.imports.types import MetadataEntry
from wit_world.imports.value import Reader

from records import NotRecords, records

CHUNK = 1 << 20


class Op(exports.Op):
    def run(self, context: OpContext) -> None:
        column = json.loads(context.config())["column"]
        numbers = []
        for name in context.inputs():
            # The parts of an input are its partitions, each loaded when it is asked for.
            with context.input(name) as source:
                while (part := source.next()) is not None:
                    with part:
                        numbers += numbers_of(part, column, name)
        if not numbers:
            raise Err(types.Error_UnsupportedType(f"no record has a number in `{column}`"))
        summary = {
            "count": len(numbers),
            "mean": statistics.fmean(numbers),
            "median": statistics.median(numbers),
            "deviation": statistics.pstdev(numbers),
        }
        [output] = context.outputs()
        with context.output(output) as sink:
            sink.begin(None, "application/json")
            sink.write(json.dumps(summary).encode())
        context.add_output_metadata(output, [MetadataEntry("numbers", types.MetadataValue_Int(len(numbers)))])


def numbers_of(part: Reader, column: str, name: str) -> list[float]:
    try:
        items = [record.get(column) for record in records(iter(lambda: part.read(CHUNK), b""))]
    except NotRecords as error:
        raise Err(types.Error_UnsupportedType(f"the input `{name}`: {error}")) from error
    return [item for item in items if isinstance(item, (int, float)) and not isinstance(item, bool)]
