"""Writes a delivery: one file per table with the contract's columns and types, then manifest.json."""

import hashlib
import json
import os
import tomllib
from collections.abc import Mapping
from pathlib import Path

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
"""A day that has not come: written as null."""


def money(fen, valid=None) -> pa.Array:
    """Whole fen (1/100 CNY) as an exact decimal(18,2); null where `valid` is False."""
    return _decimal(fen, pa.decimal128(18, 2), valid)


def rate(millionths) -> pa.Array:
    """Millionths a year as an exact decimal(9,6)."""
    return _decimal(millionths, pa.decimal128(9, 6), None)


def _decimal(values, kind, valid) -> pa.Array:
    words = np.empty((len(values), 2), dtype=np.int64)
    words[:, 0] = values
    words[:, 1] = words[:, 0] >> 63
    bitmap = None if valid is None else pa.py_buffer(np.packbits(valid, bitorder="little"))
    return pa.Array.from_buffers(kind, len(words), [bitmap, pa.py_buffer(words)])


def key(prefix: str, numbers, width: int, valid=None) -> pa.Array:
    """Text keys such as C00000042: a fixed prefix and a number of `width` digits."""
    numbers = np.asarray(numbers, dtype=np.int64)
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


def code(numbers, words, valid=None) -> pa.Array:
    """Small integers as the words they stand for, dictionary encoded; a negative number is null."""
    numbers = np.asarray(numbers)
    void = numbers < 0 if valid is None else (numbers < 0) | ~valid
    mask = void if void.any() else None
    indices = pa.array(np.where(void, 0, numbers).astype(np.int32), mask=mask)
    return pa.DictionaryArray.from_arrays(indices, pa.array(words, pa.string()))


def day(days, valid=None) -> pa.Array:
    """Days since 1970-01-01 as dates; NEVER becomes null."""
    days = np.asarray(days, dtype=np.int32)
    void = days == NEVER if valid is None else (days == NEVER) | ~valid
    return pa.array(days, mask=void if void.any() else None).cast(pa.date32())


class Delivery:
    """A delivery being written into folder `to`.

    `add(table, columns)` appends a row group; `close(...)` writes the manifest last, by one atomic rename, so that a
    folder without manifest.json is an unfinished delivery. Row groups are written in the order in which they come.
    """

    def __init__(self, to: Path, form: str):
        self.to = Path(to)
        self.form = form
        self.to.mkdir(parents=True, exist_ok=True)
        (self.to / "manifest.json").unlink(missing_ok=True)
        self._writers, self._rows, self._totals = {}, {}, {}

    def add(self, table: str, columns: Mapping[str, pa.Array]) -> None:
        """Append rows of the contract's `table`; a column that the demo bank does not know is delivered empty."""
        declared = CONTRACT[table]["column"]
        unknown = set(columns) - set(declared)
        if unknown:
            raise KeyError(f"{table}: the contract has no column {', '.join(sorted(unknown))}")
        height = len(next(iter(columns.values())))
        arrays, names = [], list(declared)
        for name in names:
            column = columns.get(name)
            kind = ARROW_TYPES[declared[name]["type"]]
            if column is None:
                column = pa.nulls(height, kind)
            if pa.types.is_dictionary(column.type) and self.form == "parquet":
                kind = pa.dictionary(pa.int32(), pa.string())
            if column.type != kind:
                column = column.cast(kind)
            if declared[name]["type"] == "money":
                self._total(table, name, column)
            arrays.append(column)
        batch = pa.table(arrays, names=names)
        self._rows[table] = self._rows.get(table, 0) + batch.num_rows
        writer = self._writers.get(table) or self._open(table, batch.schema)
        if batch.num_rows:
            writer.write_table(batch)

    def _total(self, table, name, column) -> None:
        words = np.frombuffer(column.buffers()[1], dtype=np.int64).reshape(-1, 2)
        fen = words[column.offset : column.offset + len(column), 0]
        if column.null_count:
            fen = fen[column.is_valid().to_numpy(zero_copy_only=False)]
        totals = self._totals.setdefault(table, {})
        totals[name] = totals.get(name, 0) + int(fen.sum())

    def _open(self, table, schema):
        path = self.to / f"{table}.{self.form}"
        if self.form == "csv":
            writer = pyarrow.csv.CSVWriter(path, schema)
        else:
            coded = [field.name for field in schema if pa.types.is_dictionary(field.type)]
            writer = pyarrow.parquet.ParquetWriter(
                path,
                schema,
                compression="zstd",
                compression_level=1,
                use_dictionary=coded or False,
                # Without the Arrow schema a reader sees plain strings, as the contract says, not dictionaries.
                store_schema=False,
                store_decimal_as_integer=True,
            )
        self._writers[table] = writer
        return writer

    def close(self, *, kind: str, first: str, as_of: str) -> dict:
        """Close all files and write the manifest; returns it. `first` and `as_of` are month ends, ISO."""
        for writer in self._writers.values():
            writer.close()
        tables = {}
        for table in sorted(self._writers):
            path = self.to / f"{table}.{self.form}"
            with path.open("rb") as file:
                sha256 = hashlib.file_digest(file, "sha256").hexdigest()
            rows = self._rows[table]
            totals = {name: _text(fen) for name, fen in self._totals.get(table, {}).items()}
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
        aside = self.to / ".manifest.json.part"
        with aside.open("w", encoding="utf-8") as file:
            json.dump(manifest, file, ensure_ascii=False, indent=1)
            file.flush()
            os.fsync(file.fileno())
        os.replace(aside, self.to / "manifest.json")
        return manifest


def _text(fen: int) -> str:
    sign = "-" if fen < 0 else ""
    return f"{sign}{abs(fen) // 100}.{abs(fen) % 100:02d}"
