"""Writes a delivery: a file per table with the contract's columns and types, then manifest.json."""

import hashlib
import json
import os
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

CONTRACT = tomllib.loads(
    (Path(__file__).parents[1] / "contract" / "contract.toml").read_text(encoding="utf-8")
)["table"]

ARROW_TYPES = {
    "key": pa.string(),
    "text": pa.string(),
    "code": pa.string(),
    "name": pa.string(),
    "id_number": pa.string(),
    "phone": pa.string(),
    "date": pa.date32(),
    "month": pa.date32(),
    "time": pa.timestamp("us"),
    "money": pa.decimal128(18, 2),
    "rate": pa.decimal128(9, 6),
    "int": pa.int32(),
    "number": pa.float64(),
    "bool": pa.bool_(),
}

NEVER = np.int32(2**31 - 1)
"""An event that has not happened: written as null."""


def code_values(table: str, column: str) -> tuple[str, ...]:
    """Return the contract's list of values of a code column, in its order."""
    return tuple(CONTRACT[table]["column"][column]["values"])


def money(fen: np.ndarray, valid: np.ndarray | None = None) -> pa.Array:
    """Return whole fen (1/100 CNY) as an exact decimal(18,2); null where `valid` is False."""
    return _decimal(fen, pa.decimal128(18, 2), valid)


def rate(millionths: np.ndarray) -> pa.Array:
    """Return millionths a year as an exact decimal(9,6)."""
    return _decimal(millionths, pa.decimal128(9, 6), None)


def _decimal(values: np.ndarray, kind: pa.DataType, valid: np.ndarray | None) -> pa.Array:
    halves = np.empty((len(values), 2), dtype=np.int64)
    halves[:, 0] = values
    halves[:, 1] = halves[:, 0] >> 63
    bitmap = None if valid is None else pa.py_buffer(np.packbits(valid, bitorder="little"))
    return pa.Array.from_buffers(kind, len(halves), [bitmap, pa.py_buffer(halves)])


def key(prefix: str, numbers: np.ndarray, width: int, valid: np.ndarray | None = None) -> pa.Array:
    """Return text keys such as C00000042: a fixed prefix and a number of `width` digits."""
    numbers = numbers.astype(np.int64)
    head = np.frombuffer(prefix.encode(), dtype=np.uint8)
    letters = np.empty((len(numbers), len(head) + width), dtype=np.uint8)
    letters[:, : len(head)] = head
    rest = numbers.copy() if valid is None else np.where(valid, numbers, 0)
    for place in range(letters.shape[1] - 1, len(head) - 1, -1):
        rest, digit = np.divmod(rest, 10)
        letters[:, place] = digit + 48
    offsets = np.arange(len(numbers) + 1, dtype=np.int32) * np.int32(letters.shape[1])
    bitmap = None if valid is None else pa.py_buffer(np.packbits(valid, bitorder="little"))
    return pa.Array.from_buffers(
        pa.string(), len(numbers), [bitmap, pa.py_buffer(offsets), pa.py_buffer(letters)]
    )


def code(positions: np.ndarray, values: Sequence[str]) -> pa.Array:
    """Return `values` at these positions, dictionary encoded; a negative position is null."""
    is_null = positions < 0
    mask = is_null if is_null.any() else None
    indices = pa.array(np.where(is_null, 0, positions).astype(np.int32), mask=mask)
    return pa.DictionaryArray.from_arrays(indices, pa.array(values, pa.string()))


def day(days: np.ndarray, valid: np.ndarray | None = None) -> pa.Array:
    """Return days since 1970-01-01 as dates; NEVER becomes null."""
    days = np.asarray(days, dtype=np.int32)
    is_null = days == NEVER
    if valid is not None:
        is_null |= ~valid
    return pa.array(days, mask=is_null if is_null.any() else None).cast(pa.date32())


Writer = pyarrow.csv.CSVWriter | pyarrow.parquet.ParquetWriter


class Delivery:
    """A delivery that is written into folder `to`.

    `add(table, columns)` appends a row group; `close(...)` writes the manifest last, by one atomic
    rename, so that a folder without manifest.json is an unfinished delivery. Row groups are written
    in the order in which they come.
    """

    def __init__(self, to: Path, form: str) -> None:
        self.to = Path(to)
        self.form = form
        self.to.mkdir(parents=True, exist_ok=True)
        (self.to / "manifest.json").unlink(missing_ok=True)
        self._writers: dict[str, Writer] = {}
        self._rows: dict[str, int] = {}
        self._totals: dict[str, dict[str, int]] = {}

    def add(self, table: str, columns: Mapping[str, pa.Array]) -> None:
        """Append rows of the contract's `table`; columns that the demo bank does not have are
        delivered empty.
        """
        contract = CONTRACT[table]["column"]
        unknown = set(columns) - set(contract)
        if unknown:
            raise KeyError(f"{table}: the contract has no column {', '.join(sorted(unknown))}")
        height = len(next(iter(columns.values())))
        arrays = []
        names = list(contract)
        for name in names:
            column = columns.get(name)
            kind = ARROW_TYPES[contract[name]["type"]]
            if column is None:
                column = pa.nulls(height, kind)
            if pa.types.is_dictionary(column.type) and self.form == "parquet":
                kind = pa.dictionary(pa.int32(), pa.string())
            if column.type != kind:
                column = column.cast(kind)
            if contract[name]["type"] == "money":
                self._add_total(table, name, column)
            arrays.append(column)
        batch = pa.table(arrays, names=names)
        self._rows[table] = self._rows.get(table, 0) + batch.num_rows
        writer = self._writers.get(table) or self._open(table, batch.schema)
        if batch.num_rows:
            writer.write_table(batch)

    def _add_total(self, table: str, name: str, column: pa.Array) -> None:
        halves = np.frombuffer(column.buffers()[1], dtype=np.int64).reshape(-1, 2)
        fen = halves[column.offset : column.offset + len(column), 0]
        if column.null_count:
            fen = fen[column.is_valid().to_numpy(zero_copy_only=False)]
        totals = self._totals.setdefault(table, {})
        totals[name] = totals.get(name, 0) + int(fen.sum())

    def _open(self, table: str, schema: pa.Schema) -> Writer:
        path = self.to / f"{table}.{self.form}"
        if self.form == "csv":
            writer = pyarrow.csv.CSVWriter(path, schema)
        else:
            code_columns = [field.name for field in schema if pa.types.is_dictionary(field.type)]
            writer = pyarrow.parquet.ParquetWriter(
                path,
                schema,
                compression="zstd",
                compression_level=1,
                use_dictionary=code_columns or False,
                # Without the Arrow schema a reader sees plain strings, as the contract says, not
                # dictionaries.
                store_schema=False,
                store_decimal_as_integer=True,
            )
        self._writers[table] = writer
        return writer

    def close(self, *, kind: str, first: str, as_of: str) -> dict[str, Any]:
        """Close all files, write the manifest and return it. `first` and `as_of` are month ends,
        ISO.
        """
        for writer in self._writers.values():
            writer.close()
        tables = {}
        for table in sorted(self._writers):
            path = self.to / f"{table}.{self.form}"
            with path.open("rb") as file:
                sha256 = hashlib.file_digest(file, "sha256").hexdigest()
            rows = self._rows[table]
            totals = {name: _decimal_text(fen) for name, fen in self._totals.get(table, {}).items()}
            tables[table] = {
                "files": [{"name": path.name, "sha256": sha256, "rows": rows}],
                "rows": rows,
                "totals": totals,
            }
        manifest = {
            "source": "contract",
            "kind": kind,
            "from": first,
            "as_of": as_of,
            "tables": tables,
        }
        temporary = self.to / ".manifest.json.part"
        with temporary.open("w", encoding="utf-8") as file:
            json.dump(manifest, file, ensure_ascii=False, indent=1)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, self.to / "manifest.json")
        return manifest


def _decimal_text(fen: int) -> str:
    sign = "-" if fen < 0 else ""
    return f"{sign}{abs(fen) // 100}.{abs(fen) % 100:02d}"
