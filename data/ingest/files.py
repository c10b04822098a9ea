"""Files of a delivery → Parquet files that the engine reads: CSV in an agreed encoding, Parquet as it is.

CSV (and XLSX, see data/ingest/xlsx.py) become Parquet files of text columns beside `line` (the physical line or sheet
row) and
`problem` (why the reader itself refuses the row, or null). Parsing is strict: what is not read whole is not read. Every
refusal is a `UserError` that names file and line.
"""

from __future__ import annotations

import csv
import os
import stat
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from data.errors import UserError
from data.ingest.encodings import MAX_LINE_BYTES

MAX_COLUMNS = 1000
BATCH_ROWS = 50_000
_DELIMITER_WORDS = {";": "';'", "\t": "tab", ",": "','", "|": "'|'"}
TOTAL_ROW_LABELS = ("合计", "总计", "合計", "total", "TOTAL", "Total")


@dataclass(frozen=True)
class FileFormat:
    """How a source writes a file. `columns` are those read, by exact name, never by place; `needed` must be there.

    `dates` are the columns in which an XLSX file may hold serial numbers of days.
    """

    columns: tuple[str, ...]
    required: tuple[str, ...]
    delimiter: str = ","
    sheet: str | None = None
    header_row: int = 1
    dates: frozenset[str] = frozenset()
    may_be_empty: bool = False


@dataclass
class StagedFile:
    """One file, ready for the engine. `types` maps each column to its SQL type family; `native` files have no
    `line` column."""

    file: str
    path: Path
    types: dict[str, str]
    rows: int
    native: bool
    skipped: dict[str, int] = field(default_factory=dict)
    notes: list[dict] = field(default_factory=list)
    trailer: dict[str, str] = field(default_factory=dict)


def require_regular_file(path: Path) -> os.stat_result:
    """The file's stat; UserError for links, folders, devices and what is missing."""
    try:
        found = path.lstat()
    except OSError as error:
        raise UserError("reading_failed", file=path.name, error=error.strerror) from None
    if not stat.S_ISREG(found.st_mode):
        raise UserError("not_regular", file=path.name)
    return found


def stage_csv(path: Path, layout: FileFormat, encoding: str, target: Path) -> StagedFile:
    """Read one CSV file strictly and write it as a Parquet file of text columns. UserError as the module says."""
    csv.field_size_limit(MAX_LINE_BYTES)
    with path.open(encoding=encoding, newline="") as text:
        reader = csv.reader(text, delimiter=layout.delimiter, strict=True)
        rows = _records(reader, path)
        header = next(rows, None)
        while header is not None and not any(header):
            header = next(rows, None)
        if header is None:
            raise UserError("empty_file", file=path.name)
        names = check_header(path.name, header, layout)
        staged = StagedFile(
            path.name, target, {name: "text" for name in names if name}, 0, native=False
        )
        extra = [head for head, name in zip(header, names, strict=True) if name is None]
        if extra:
            staged.notes.append(
                {
                    "code": "extra_columns",
                    "count": len(extra),
                    "facts": [str(head)[:40] for head in extra[:20]],
                }
            )
        write_text_parquet(
            staged, names, _numbered_records(rows, reader, len(header), staged), target
        )
    if not _ends_with_line_end(path, encoding):
        if staged.skipped.pop("cut", 0):
            raise UserError("cut", file=path.name, line=reader.line_num)
        staged.notes.append({"code": "no_line_end", "count": 1})
    staged.skipped.pop("cut", None)
    if not staged.rows and not layout.may_be_empty:
        raise UserError("header_only", file=path.name)
    return staged


def _records(reader, path: Path) -> Iterator[list[str]]:
    while True:
        start = reader.line_num + 1
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            code = "line_too_long" if "field limit" in str(error) else "quote"
            raise UserError(code, file=path.name, line=start, error=error) from None
        except UnicodeError:
            raise UserError("encoding_bad", file=path.name, byte="?") from None
        yield row


def _numbered_records(
    rows: Iterator[list[str]], reader, width: int, staged: StagedFile
) -> Iterator[tuple[int, str | None, list[str]]]:
    """(first line, problem, values) of each record; blank lines and trailers are counted and left out."""
    last = reader.line_num
    for row in rows:
        line, last = last + 1, reader.line_num
        staged.skipped.pop("cut", None)
        if not row or (width > 1 and len(row) == 1 and not row[0].strip()) or not any(row):
            staged.skipped["blank_lines"] = staged.skipped.get("blank_lines", 0) + 1
            continue
        problem = None
        if row[0].strip() in TOTAL_ROW_LABELS:
            problem = "trailer"
        elif len(row) < width:
            problem = "too_few_columns"
            staged.skipped["cut"] = 1
        elif len(row) > width:
            problem = "too_many_columns"
        elif any("\0" in value for value in row):
            problem = "nul_byte"
        yield line, problem, row


def check_header(file: str, header: list, format: FileFormat) -> list[str | None]:
    """Return the declared name of each column, None for a column that is not declared.

    Raises
    ------
    UserError
        When the header is too wide, or names are missing or occur twice.
    """
    if len(header) > MAX_COLUMNS:
        raise UserError("too_wide", file=file, count=len(header))
    cleaned = [unicodedata.normalize("NFKC", str(head or "")).strip() for head in header]
    declared = [name if name in format.columns else None for name in cleaned]
    if double := _first_double([name for name in declared if name]):
        raise UserError("header_duplicate", file=file, column=double)
    double = _first_double([name for name in cleaned if name])
    if not any(declared):
        if double is None and len(header) == 1:
            _check_delimiter(file, cleaned[0], format.delimiter)
        want = ", ".join((format.required or format.columns)[:8])
        raise UserError("header_missing", file=file, want=want)
    if double:
        raise UserError("header_duplicate", file=file, column=double[:40])
    for name in format.required:
        if name not in declared:
            raise UserError("header_column", file=file, column=name)
    return declared


def _first_double(names: list[str]) -> str | None:
    return next((name for name in names if names.count(name) > 1), None)


def _check_delimiter(file: str, header: str, declared: str) -> None:
    """Refuse a header of one column that holds another delimiter than the declared one."""
    for delimiter, word in _DELIMITER_WORDS.items():
        if delimiter != declared and delimiter in header:
            raise UserError("delimiter", file=file, found=word, declared=repr(declared))


def write_text_parquet(
    staged: StagedFile,
    names: list[str | None],
    rows: Iterator[tuple[int, str | None, list]],
    target: Path,
) -> None:
    places = [(index, name) for index, name in enumerate(names) if name]
    schema = pa.schema(
        [
            ("line", pa.int64()),
            ("problem", pa.string()),
            *((name, pa.string()) for _, name in places),
        ]
    )
    handle = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    os.close(handle)
    with pq.ParquetWriter(target, schema, compression="zstd", compression_level=1) as writer:
        batch: list[tuple[int, str | None, list]] = []
        for line, problem, values in rows:
            if problem == "trailer":
                staged.trailer = {
                    name: values[index] for index, name in places if index < len(values)
                }
                staged.skipped["trailer_lines"] = staged.skipped.get("trailer_lines", 0) + 1
                continue
            batch.append((line, problem, values))
            if len(batch) == BATCH_ROWS:
                staged.rows += _flush(writer, schema, places, batch)
        staged.rows += _flush(writer, schema, places, batch)


def _flush(writer, schema: pa.Schema, places: list[tuple[int, str]], batch: list) -> int:
    count = len(batch)
    if count:
        lines, problems, records = zip(*batch, strict=True)
        columns = [pa.array(lines, pa.int64()), pa.array(problems, pa.string())]
        if any(problems):
            columns += [
                pa.array([row[at] if at < len(row) else None for row in records], pa.string())
                for at, _ in places
            ]
        else:
            columns += [pa.array([row[at] for row in records], pa.string()) for at, _ in places]
        writer.write_table(pa.table(columns, schema=schema))
        batch.clear()
    return count


def _ends_with_line_end(path: Path, encoding: str) -> bool:
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - 2))
        tail = file.read()
    return (
        (b"\n" in tail or b"\r" in tail)
        if encoding.startswith("utf-16")
        else tail[-1:] in (b"\n", b"\r")
    )


def stage_parquet(path: Path, layout: FileFormat) -> StagedFile:
    """Look at one Parquet file's own schema; the engine reads the file itself. UserError when cut or not Parquet."""
    try:
        with pq.ParquetFile(path) as file:
            schema, rows = file.schema_arrow, file.metadata.num_rows
    except (pa.ArrowException, OSError, ValueError) as error:
        raise UserError(
            "parquet_bad", file=path.name, error=str(error).split("\n", 1)[0][:120]
        ) from None
    names = check_header(path.name, schema.names, layout)
    staged = StagedFile(
        path.name,
        path,
        {name: arrow_family(schema.field(name).type) for name in names if name},
        rows,
        native=True,
    )
    if extra := [head for head, name in zip(schema.names, names, strict=True) if name is None]:
        staged.notes.append({"code": "extra_columns", "count": len(extra), "facts": extra[:20]})
    if not rows and not layout.may_be_empty:
        raise UserError("header_only", file=path.name)
    return staged


def arrow_family(kind: pa.DataType) -> str:
    """text, date, timestamp, timestamptz, bool, int, decimal(p,s), float, or the type's own name where none of
    these."""
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        return "text"
    if pa.types.is_date(kind):
        return "date"
    if pa.types.is_timestamp(kind):
        return "timestamptz" if kind.tz else "timestamp"
    if pa.types.is_boolean(kind):
        return "bool"
    if pa.types.is_integer(kind):
        return "int"
    if pa.types.is_decimal(kind):
        return f"decimal({kind.precision},{kind.scale})"
    if pa.types.is_floating(kind):
        return "float"
    return str(kind)


def require_same_schema(parts: list[StagedFile]) -> None:
    """Refused when the files of one table differ in a column's presence or type."""
    first = parts[0]
    for part in parts[1:]:
        for column in sorted(set(first.types) | set(part.types)):
            if first.types.get(column) != part.types.get(column):
                raise UserError(
                    "parquet_drift",
                    file=part.file,
                    column=column,
                    got=part.types.get(column),
                    first=first.file,
                    want=first.types.get(column),
                )
