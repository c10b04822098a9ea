"""Files of a delivery → Parquet files that the engine reads.

A delivered Parquet file is read as it is. CSV and XLSX (data/ingest/xlsx.py) become Parquet files
of text columns beside `line` (the physical line or sheet row) and `problem` (why the reader itself
rejects the row, or null). Parsing is strict: a file that cannot be read completely is refused.
Every refusal is a `UserError` that names file and line.
"""

from __future__ import annotations

import csv
import os
import stat
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import pyarrow as pa
import pyarrow.parquet as pq

from data.errors import UserError
from data.ingest.encodings import MAX_LINE_BYTES

MAX_COLUMNS = 1000
BATCH_ROWS = 50_000
_DELIMITER_WORDS = {";": "';'", "\t": "tab", ",": "','", "|": "'|'"}
TOTAL_ROW_LABELS = ("合计", "总计", "合計", "total", "TOTAL", "Total")


Progress = Callable[[str, int, float], None]
"""Called with step, rows and seconds."""
Record = tuple[int, str | None, Sequence[str | None]]
"""(line, problem, values) of one row."""


class _CsvReader(Protocol):
    """The reader of the module csv."""

    @property
    def line_num(self) -> int: ...

    def __next__(self) -> list[str]: ...


@dataclass(frozen=True)
class FileFormat:
    """How a source writes a file.

    Parameters
    ----------
    columns
        Columns to read, by exact header, never by position.
    required
        Columns that must be present.
    dates
        Columns in which an XLSX file may hold serial numbers of days.
    amounts
        Columns of amounts and counts: cells merged over several rows cannot be told apart there.
    may_be_empty
        Whether a header without rows is accepted.
    titles
        The header of a column where it is not the column's name.
    """

    columns: tuple[str, ...]
    required: tuple[str, ...]
    delimiter: str = ","
    sheet: str | None = None
    header_row: int = 1
    dates: frozenset[str] = frozenset()
    amounts: frozenset[str] = frozenset()
    may_be_empty: bool = False
    titles: Mapping[str, str] = field(default_factory=dict)

    def title(self, column: str) -> str:
        """Return the header of a column."""
        return self.titles.get(column, column)


@dataclass
class StagedFile:
    """One file, ready for the engine.

    Parameters
    ----------
    types
        The SQL type family of each column.
    native
        Whether the engine reads the delivered file itself, which has no columns line and problem.
    skipped
        Rows by note code.
    trailer
        Values of the trailer line by column.
    stored_names
        Of a native file: the name of each column in the file.
    """

    file: str
    path: Path
    types: dict[str, str]
    rows: int
    native: bool
    skipped: dict[str, int] = field(default_factory=dict)
    notes: list[dict[str, Any]] = field(default_factory=list)
    trailer: dict[str, str] = field(default_factory=dict)
    stored_names: dict[str, str] = field(default_factory=dict)

    def skip(self, code: str) -> None:
        """Count one skipped row."""
        self.skipped[code] = self.skipped.get(code, 0) + 1

    def note_extra_columns(self, header: Sequence[Any], names: Sequence[str | None]) -> None:
        """Note the columns of the header that no name is declared for; 20 are listed."""
        extra = [str(title)[:40] for title, name in zip(header, names, strict=True) if name is None]
        if extra:
            self.notes.append({"code": "extra_columns", "count": len(extra), "facts": extra[:20]})


def require_regular_file(path: Path) -> None:
    """Raise UserError for links, folders, devices and missing files."""
    try:
        status = path.lstat()
    except OSError as error:
        raise UserError("reading_failed", file=path.name, error=error.strerror) from None
    if not stat.S_ISREG(status.st_mode):
        raise UserError("not_regular", file=path.name)


def stage_csv(path: Path, file_format: FileFormat, encoding: str, target: Path) -> StagedFile:
    """Read a CSV file strictly and write it as a Parquet file of text columns.

    Raises
    ------
    UserError
        For an empty or cut file, a wrong header, a stray quote and an invalid byte.
    """
    csv.field_size_limit(MAX_LINE_BYTES)
    with path.open(encoding=encoding, newline="") as text:
        reader = csv.reader(text, delimiter=file_format.delimiter, strict=True)
        rows = _rows(reader, path)
        header = next((row for row in rows if any(row)), None)
        if header is None:
            raise UserError("empty_file", file=path.name)
        names = check_header(path.name, header, file_format)
        types = {name: "text" for name in names if name}
        staged = StagedFile(path.name, target, types, 0, native=False)
        staged.note_extra_columns(header, names)
        records = _records(rows, reader, len(header), staged)
        write_text_parquet(staged, names, records, target)
    is_last_row_short = staged.skipped.pop("cut", 0)
    if not _ends_with_line_end(path, encoding):
        if is_last_row_short:
            raise UserError("cut", file=path.name, line=reader.line_num)
        staged.notes.append({"code": "no_line_end", "count": 1})
    if not staged.rows and not file_format.may_be_empty:
        raise UserError("header_only", file=path.name)
    return staged


def _rows(reader: _CsvReader, path: Path) -> Iterator[list[str]]:
    """Yield the rows of a reader; its errors become `UserError`s."""
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


def _records(
    rows: Iterator[list[str]], reader: _CsvReader, width: int, staged: StagedFile
) -> Iterator[Record]:
    """Yield each row with its first line and problem; blank lines are counted and left out.

    `skipped` has the entry `cut` while the last row is shorter than the header.
    """
    last = reader.line_num
    for row in rows:
        line = last + 1
        last = reader.line_num
        staged.skipped.pop("cut", None)
        is_blank_line = width > 1 and len(row) == 1 and not row[0].strip()
        if is_blank_line or not any(row):
            staged.skip("blank_lines")
            continue
        problem = _row_problem(row, width)
        if problem == "too_few_columns":
            staged.skipped["cut"] = 1
        yield line, problem, row


def _row_problem(row: list[str], width: int) -> str | None:
    if row[0].strip() in TOTAL_ROW_LABELS:
        return "trailer"
    if len(row) < width:
        return "too_few_columns"
    if len(row) > width:
        return "too_many_columns"
    return "nul_byte" if any("\0" in value for value in row) else None


def check_header(file: str, header: Sequence[Any], file_format: FileFormat) -> list[str | None]:
    """Return the declared name of each column, None for a column that is not declared.

    Raises
    ------
    UserError
        When the header is too wide, or names are missing or occur twice.
    """
    if len(header) > MAX_COLUMNS:
        raise UserError("too_wide", file=file, count=len(header))
    titles = [_plain_title(title) for title in header]
    column_by_title = {_plain_title(file_format.title(name)): name for name in file_format.columns}
    names = [column_by_title.get(title) for title in titles]
    if repeated := _first_repeated([name for name in names if name]):
        raise UserError("header_duplicate", file=file, column=file_format.title(repeated))
    repeated = _first_repeated([title for title in titles if title])
    if not any(names):
        if repeated is None and len(header) == 1:
            _check_delimiter(file, str(header[0]), file_format.delimiter)
        wanted = (file_format.required or file_format.columns)[:8]
        want = ", ".join(file_format.title(name) for name in wanted)
        raise UserError("header_missing", file=file, want=want)
    if repeated:
        raise UserError("header_duplicate", file=file, column=repeated[:40])
    for name in file_format.required:
        if name not in names:
            present = ", ".join(title[:40] for title in titles[:30] if title)
            raise UserError(
                "header_column", file=file, column=file_format.title(name), present=present
            )
    return names


def _plain_title(title: Any) -> str:
    """Return a header without what is not seen: forms of width, outer and repeated spaces."""
    return " ".join(unicodedata.normalize("NFKC", str(title or "")).split())


def quoted_name(name: str) -> str:
    """Return the name of a column as SQL."""
    return '"' + name.replace('"', '""') + '"'


def _first_repeated(names: list[str]) -> str | None:
    return next((name for name in names if names.count(name) > 1), None)


def _check_delimiter(file: str, header: str, declared: str) -> None:
    """Refuse a header of one column that holds another delimiter than the declared one."""
    for delimiter, word in _DELIMITER_WORDS.items():
        if delimiter != declared and delimiter in header:
            raise UserError("delimiter", file=file, found=word, declared=repr(declared))


def write_text_parquet(
    staged: StagedFile,
    names: Sequence[str | None],
    records: Iterator[Record],
    target: Path,
) -> None:
    """Write records as a Parquet file of line, problem and the named columns as text.

    Counts rows and trailer lines in `staged`; the values of a trailer line are stored there.
    """
    columns = [(index, name) for index, name in enumerate(names) if name]
    fields = [("line", pa.int64()), ("problem", pa.string())]
    fields += [(name, pa.string()) for _, name in columns]
    schema = pa.schema(fields)
    handle = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    os.close(handle)
    with pq.ParquetWriter(target, schema, compression="zstd", compression_level=1) as writer:
        batch: list[Record] = []
        for line, problem, values in records:
            if problem == "trailer":
                staged.trailer = {
                    name: values[index] or "" for index, name in columns if index < len(values)
                }
                staged.skip("trailer_lines")
                continue
            batch.append((line, problem, values))
            if len(batch) == BATCH_ROWS:
                staged.rows += _write_batch(writer, schema, columns, batch)
                batch = []
        if batch:
            staged.rows += _write_batch(writer, schema, columns, batch)


def _write_batch(
    writer: pq.ParquetWriter,
    schema: pa.Schema,
    columns: list[tuple[int, str]],
    batch: list[Record],
) -> int:
    """Write a batch and return its number of rows."""
    lines, problems, rows = zip(*batch, strict=True)
    arrays = [pa.array(lines, pa.int64()), pa.array(problems, pa.string())]
    for index, _ in columns:
        if any(problems):
            values = [row[index] if index < len(row) else None for row in rows]
        else:
            values = [row[index] for row in rows]
        arrays.append(pa.array(values, pa.string()))
    writer.write_table(pa.table(arrays, schema=schema))
    return len(batch)


def _ends_with_line_end(path: Path, encoding: str) -> bool:
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - 2))
        tail = file.read()
    if encoding.startswith("utf-16"):
        return b"\n" in tail or b"\r" in tail
    return tail[-1:] in (b"\n", b"\r")


def stage_parquet(path: Path, file_format: FileFormat) -> StagedFile:
    """Check the schema of a Parquet file; the engine reads the file itself.

    Raises
    ------
    UserError
        For a file that is cut or no Parquet, a wrong header and a file without rows.
    """
    try:
        with pq.ParquetFile(path) as file:
            schema = file.schema_arrow
            rows = file.metadata.num_rows
    except (pa.ArrowException, OSError, ValueError) as error:
        problem = str(error).split("\n", 1)[0][:120]
        raise UserError("parquet_bad", file=path.name, error=problem) from None
    names = check_header(path.name, schema.names, file_format)
    types = {
        name: arrow_family(column.type) for name, column in zip(names, schema, strict=True) if name
    }
    stored = {name: title for name, title in zip(names, schema.names, strict=True) if name}
    staged = StagedFile(path.name, path, types, rows, native=True, stored_names=stored)
    staged.note_extra_columns(schema.names, names)
    if not rows and not file_format.may_be_empty:
        raise UserError("header_only", file=path.name)
    return staged


def arrow_family(kind: pa.DataType) -> str:
    """Return the SQL type family of an Arrow type.

    One of text, date, timestamp, timestamptz, bool, int, decimal(p,s) and float, else the type's
    own name.
    """
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
    """Raise UserError when the files of one table differ in the presence or type of a column."""
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
