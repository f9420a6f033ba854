"""Write poses as Parquet: the columns of the CSV, null where there is no value. Needs pyarrow."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from sigmapose import __version__
from sigmapose.io.export.places_of_parts import Exported, write_whole
from sigmapose.io.export.pose_table import IDENTITY, NUMBERS, tables
from sigmapose.pose import Frame


def write(frames: Iterable[Frame], path: Path) -> Exported:
    """A row group for every few hundred frames.

    Raises:
        OutputError: the file cannot be written.
    """
    import pyarrow as pa
    from pyarrow.parquet import ParquetWriter

    text, number = pa.dictionary(pa.int32(), pa.string()), pa.float64()
    kinds = dict(zip(IDENTITY, (pa.int64(), number, text, pa.int64(), number, text), strict=True))
    told = {"generator": f"sigmapose {__version__}", "axes": "camera: x right, y down, z forward"}
    schema = pa.schema({**kinds, **dict.fromkeys(NUMBERS, number)}, metadata=told)

    def groups(part: Path) -> None:
        with ParquetWriter(part, schema, compression="zstd") as out:
            for table in tables(frames):
                columns = [
                    pa.array(values, field.type, from_pandas=True)
                    for field, values in zip(schema, table.values(), strict=True)
                ]
                out.write_table(pa.Table.from_arrays(columns, schema=schema))

    return Exported(write_whole([(path, groups)]))
