"""Files of a delivery → Parquet files that the engine reads: CSV in any agreed encoding, Parquet as it is, XLSX.

CSV and XLSX become Parquet files of text columns beside `line` (the physical line or sheet row) and `problem` (why the reader
itself refuses the row, or null). Parsing is Python's strict csv module and openpyxl in read-only mode, after a preflight, so
that no file can end the process. Every refusal is a `Refused` with file, line or byte.
"""

from __future__ import annotations

import codecs
import csv
import datetime as dt
import os
import stat
import unicodedata
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from data.messages import say
from data.pointer import Refused

CHUNK = 1 << 20
LONGEST_LINE = 2_000_000
WIDEST = 1000
BATCH = 50_000
TRAILERS = ("合计", "总计", "合計", "total", "TOTAL", "Total")
UNPACKED = 200 * 1024**2
RATIO = 100
MEMBERS = 2000
ERROR_MARK = "#ERROR "
DIGITS_MARK = "#DIGITS "


@dataclass(frozen=True)
class Layout:
    """How a source writes its files. `columns` are those read; `needed` must be there. `names_must_match` 0.0 … 1.0 is not used:
    names are compared exactly, positions never count."""

    columns: tuple[str, ...]
    needed: tuple[str, ...]
    delimiter: str = ","
    encoding: str = "auto"
    sheet: str | None = None
    header_row: int = 1
    dates: frozenset[str] = frozenset()
    may_be_empty: bool = False


@dataclass
class Staged:
    """One file, ready for the engine. `types` maps each column to its SQL type family; `native` files have no `line` column."""

    file: str
    path: Path
    types: dict[str, str]
    rows: int
    native: bool
    skipped: dict[str, int] = field(default_factory=dict)
    notes: list[dict] = field(default_factory=list)
    trailer: dict[str, str] = field(default_factory=dict)


def regular(path: Path) -> os.stat_result:
    """The file's stat; Refused for links, folders, devices and what is missing."""
    try:
        found = path.lstat()
    except OSError as error:
        raise Refused(say("reading_failed", file=path.name, error=error.strerror)) from None
    if not stat.S_ISREG(found.st_mode):
        raise Refused(say("not_regular", file=path.name))
    return found


# ---------------------------------------------------------------------------------------------------------------- encodings


@dataclass(frozen=True)
class Sight:
    """What the bytes of one CSV file say: `kind` is ascii, utf-8, utf-8-sig, utf-16, gb18030 or both (valid in either)."""

    file: str
    kind: str


def sight(path: Path) -> Sight:
    """Look at every byte once. Refused: empty, UTF-16 without BOM, no valid encoding (with the byte), a line over 2 MB."""
    utf8 = codecs.getincrementaldecoder("utf-8")()
    gb = codecs.getincrementaldecoder("gb18030")()
    utf8_bad, gb_bad, good, bad, plain = None, False, 0, 0, True
    offset, line, carried = 0, 1, 0
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            if offset == 0:
                for mark, kind in (
                    (codecs.BOM_UTF8, "utf-8-sig"),
                    (codecs.BOM_UTF16_LE, "utf-16"),
                    (codecs.BOM_UTF16_BE, "utf-16"),
                ):
                    if chunk.startswith(mark):
                        _decode_all(path, kind)
                        return Sight(path.name, kind)
                if chunk[:4096].count(0) * 5 > len(chunk[:4096]):
                    raise Refused(say("encoding_utf16", file=path.name))
            carried, line = _measure(chunk, carried, line, path)
            if not chunk.isascii():
                plain = False
                text = chunk.decode("utf-8", "replace")
                wrong = text.count("�")
                bad += wrong
                good += sum(1 for letter in text if letter > "\x7f") - wrong
            final = len(chunk) < CHUNK
            if utf8_bad is None:
                try:
                    utf8.decode(chunk, final)
                except UnicodeDecodeError as error:
                    utf8_bad = offset + max(error.start, 0)
            if not gb_bad and not plain:
                try:
                    gb.decode(chunk, final)
                except UnicodeDecodeError:
                    gb_bad = True
            offset += len(chunk)
    if not offset:
        raise Refused(say("empty_file", file=path.name))
    if plain:
        return Sight(path.name, "ascii")
    if utf8_bad is None:
        try:
            utf8.decode(b"", True)
        except UnicodeDecodeError:
            utf8_bad = offset - 1
    if utf8_bad is None:
        return Sight(path.name, "utf-8" if gb_bad else "both")
    # Text whose multi-byte sequences are mostly valid UTF-8 is UTF-8 with a damaged byte, whatever GB18030 makes of it.
    if gb_bad or good > bad:
        raise Refused(say("encoding_bad", file=path.name, byte=utf8_bad))
    return Sight(path.name, "gb18030")


def _measure(chunk: bytes, carried: int, line: int, path: Path) -> tuple[int, int]:
    """Length of the unfinished line and the line number after this chunk."""
    first = min((at for at in (chunk.find(b"\n"), chunk.find(b"\r")) if at >= 0), default=-1)
    length = carried + (first if first >= 0 else len(chunk))
    if length > LONGEST_LINE:
        raise Refused(say("line_too_long", file=path.name, line=line))
    if first < 0:
        return length, line
    last = max(chunk.rfind(b"\n"), chunk.rfind(b"\r"))
    return len(chunk) - last - 1, line + max(chunk.count(b"\n"), chunk.count(b"\r"))


def _decode_all(path: Path, encoding: str) -> None:
    try:
        with path.open(encoding=encoding, newline="") as text:
            carried = 0
            while part := text.read(CHUNK):
                carried = 0 if "\n" in part or "\r" in part else carried + len(part)
                if carried > LONGEST_LINE:
                    raise Refused(say("line_too_long", file=path.name, line="?"))
    except UnicodeDecodeError as error:
        raise Refused(say("encoding_bad", file=path.name, byte=error.start)) from None


def settle_encodings(sights: Iterable[Sight], declared: str = "auto") -> dict[str, tuple[str, str | None]]:
    """The encoding of each file, decided over the whole delivery: file → (encoding, note code or None).

    A BOM decides for its file. Strict UTF-8 is tried before GB18030; a file valid in both follows the others of its delivery.
    Refused where UTF-8 and GB18030 stand side by side and nothing is declared.
    """
    marked = {seen.file: seen.kind for seen in sights if seen.kind in ("utf-8-sig", "utf-16", "ascii")}
    free = [seen for seen in sights if seen.file not in marked]
    chinese = [seen for seen in free if seen.kind == "gb18030"]
    unicode = [seen for seen in free if seen.kind == "utf-8"]
    both = [seen for seen in free if seen.kind == "both"]
    asked_gb = declared.lower() in ("gb18030", "gbk", "gb2312", "cp936")
    if chinese and (unicode or both) and declared == "auto":
        raise Refused(say("encoding_mixed", first=(unicode or both)[0].file, second=chinese[0].file))
    result: dict[str, tuple[str, str | None]] = {
        name: ("utf-8" if kind == "ascii" else kind, None) for name, kind in marked.items()
    }
    for seen in chinese:
        result[seen.file] = ("gb18030", "encoding")
    for seen in unicode:
        result[seen.file] = ("utf-8", "declared_encoding_wrong" if asked_gb else None)
    for seen in both:
        result[seen.file] = (
            ("gb18030", "encoding")
            if chinese and asked_gb
            else ("utf-8", "declared_encoding_wrong" if asked_gb else None)
        )
    return result


# ---------------------------------------------------------------------------------------------------------------------- CSV


def stage_csv(path: Path, layout: Layout, encoding: str, target: Path) -> Staged:
    """Read one CSV file strictly and write it as a Parquet file of text columns. Refused as the module says."""
    csv.field_size_limit(LONGEST_LINE)
    with path.open(encoding=encoding, newline="") as text:
        reader = csv.reader(text, delimiter=layout.delimiter, strict=True)
        rows = _guarded(reader, path)
        header = next(rows, None)
        while header is not None and not any(header):
            header = next(rows, None)
        if header is None:
            raise Refused(say("empty_file", file=path.name))
        names = check_header(path.name, header, layout)
        staged = Staged(path.name, target, {name: "text" for name in names if name}, 0, native=False)
        extra = [head for head, name in zip(header, names, strict=True) if name is None]
        if extra:
            staged.notes.append(
                {"code": "extra_columns", "count": len(extra), "facts": [str(head)[:40] for head in extra[:20]]}
            )
        _write(staged, names, _numbered(rows, reader, len(header), staged), target)
    if not _ends_with_line_end(path, encoding):
        if staged.skipped.pop("cut", 0):
            raise Refused(say("cut", file=path.name, line=reader.line_num))
        staged.notes.append({"code": "no_line_end", "count": 1})
    staged.skipped.pop("cut", None)
    if not staged.rows and not layout.may_be_empty:
        raise Refused(say("header_only", file=path.name))
    return staged


def _guarded(reader, path: Path) -> Iterator[list[str]]:
    while True:
        start = reader.line_num + 1
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            code = "line_too_long" if "field limit" in str(error) else "quote"
            raise Refused(say(code, file=path.name, line=start, error=error)) from None
        except UnicodeError:
            raise Refused(say("encoding_bad", file=path.name, byte="?")) from None
        yield row


def _numbered(
    rows: Iterator[list[str]], reader, width: int, staged: Staged
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
        if row[0].strip() in TRAILERS:
            problem = "trailer"
        elif len(row) < width:
            problem = "too_few_columns"
            staged.skipped["cut"] = 1
        elif len(row) > width:
            problem = "too_many_columns"
        elif any("\0" in value for value in row):
            problem = "nul_byte"
        yield line, problem, row


def check_header(file: str, header: list, layout: Layout) -> list[str | None]:
    """The declared name of each column, None for one that is not declared. Refused when names are missing, double or too many."""
    if len(header) > WIDEST:
        raise Refused(say("too_wide", file=file, count=len(header)))
    cleaned = [unicodedata.normalize("NFKC", str(head or "")).strip() for head in header]
    want = ", ".join((layout.needed or layout.columns)[:8])
    known = [name if name in layout.columns else None for name in cleaned]
    for name in set(known) - {None}:
        if known.count(name) > 1:
            raise Refused(say("header_duplicate", file=file, column=name))
    filled = [name for name in cleaned if name]
    if len(set(filled)) != len(filled):
        double = next(name for name in filled if filled.count(name) > 1)
        if not any(known):
            raise Refused(say("header_missing", file=file, want=want))
        raise Refused(say("header_duplicate", file=file, column=double[:40]))
    if not any(known):
        if len(header) == 1:
            for mark, word in ((";", "';'"), ("\t", "tab"), (",", "','"), ("|", "'|'")):
                if mark != layout.delimiter and cleaned[0].count(mark) >= 1:
                    raise Refused(say("delimiter", file=file, found=word, declared=repr(layout.delimiter)))
        raise Refused(say("header_missing", file=file, want=want))
    for name in layout.needed:
        if name not in known:
            raise Refused(say("header_column", file=file, column=name))
    return known


def _write(staged: Staged, names: list[str | None], rows: Iterator[tuple[int, str | None, list]], target: Path) -> None:
    places = [(index, name) for index, name in enumerate(names) if name]
    schema = pa.schema([("line", pa.int64()), ("problem", pa.string()), *((name, pa.string()) for _, name in places)])
    handle = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    os.close(handle)
    with pq.ParquetWriter(target, schema, compression="zstd", compression_level=1) as writer:
        batch: list[tuple[int, str | None, list]] = []
        for line, problem, values in rows:
            if problem == "trailer":
                staged.trailer = {name: values[index] for index, name in places if index < len(values)}
                staged.skipped["trailer_lines"] = staged.skipped.get("trailer_lines", 0) + 1
                continue
            batch.append((line, problem, values))
            if len(batch) == BATCH:
                staged.rows += _flush(writer, schema, places, batch)
        staged.rows += _flush(writer, schema, places, batch)


def _flush(writer, schema: pa.Schema, places: list[tuple[int, str]], batch: list) -> int:
    count = len(batch)
    if count:
        lines, problems, records = zip(*batch, strict=True)
        columns = [pa.array(lines, pa.int64()), pa.array(problems, pa.string())]
        if any(problems):
            columns += [
                pa.array([row[at] if at < len(row) else None for row in records], pa.string()) for at, _ in places
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
    return (b"\n" in tail or b"\r" in tail) if encoding.startswith("utf-16") else tail[-1:] in (b"\n", b"\r")


# ------------------------------------------------------------------------------------------------------------------ Parquet


def stage_parquet(path: Path, layout: Layout) -> Staged:
    """Look at one Parquet file's own schema; the engine reads the file itself. Refused when cut or not Parquet."""
    try:
        with pq.ParquetFile(path) as file:
            schema, rows = file.schema_arrow, file.metadata.num_rows
    except (pa.ArrowException, OSError, ValueError) as error:
        raise Refused(say("parquet_bad", file=path.name, error=str(error).split("\n", 1)[0][:120])) from None
    names = check_header(path.name, schema.names, layout)
    staged = Staged(
        path.name, path, {name: arrow_family(schema.field(name).type) for name in names if name}, rows, native=True
    )
    if extra := [head for head, name in zip(schema.names, names, strict=True) if name is None]:
        staged.notes.append({"code": "extra_columns", "count": len(extra), "facts": extra[:20]})
    if not rows and not layout.may_be_empty:
        raise Refused(say("header_only", file=path.name))
    return staged


def arrow_family(kind: pa.DataType) -> str:
    """text, date, timestamp, timestamptz, bool, int, decimal(p,s), float, or the type's own name where none of these."""
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


def same_schema(parts: list[Staged]) -> None:
    """Refused when the files of one table differ in a column's presence or type."""
    first = parts[0]
    for part in parts[1:]:
        for column in sorted(set(first.types) | set(part.types)):
            if first.types.get(column) != part.types.get(column):
                raise Refused(
                    say(
                        "parquet_drift",
                        file=part.file,
                        column=column,
                        got=part.types.get(column),
                        first=first.file,
                        want=first.types.get(column),
                    )
                )


# --------------------------------------------------------------------------------------------------------------------- XLSX


def check_xlsx(path: Path) -> None:
    """Refused unless the file is an unencrypted workbook of sane size: looked at before anything is unpacked."""
    with path.open("rb") as file:
        magic = file.read(8)
    if magic.startswith(b"\xd0\xcf\x11\xe0"):
        raise Refused(say("xlsx_encrypted", file=path.name))
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            unpacked = sum(member.file_size for member in members)
            packed = max(1, sum(member.compress_size for member in members))
            if len(members) > MEMBERS:
                raise Refused(say("xlsx_bomb", file=path.name, what=f"{len(members)} members"))
            if unpacked > UNPACKED or (unpacked > 10 * 1024**2 and unpacked / packed > RATIO):
                raise Refused(say("xlsx_bomb", file=path.name, what=f"{unpacked // 1024**2} MB"))
            if "xl/workbook.xml" not in archive.namelist():
                raise Refused(say("xlsx_no_workbook", file=path.name))
    except (zipfile.BadZipFile, EOFError, NotImplementedError, OSError):
        raise Refused(say("xlsx_not_zip", file=path.name)) from None


def stage_xlsx(path: Path, layout: Layout, target: Path) -> Staged:
    """Read one sheet and write it as a Parquet file of text columns. Dates become ISO text, numbers their shortest text."""
    check_xlsx(path)
    import openpyxl
    from defusedxml import DefusedXmlException

    workbooks = []
    try:
        for data_only in (True, False):
            workbooks.append(openpyxl.load_workbook(path, read_only=True, data_only=data_only))
        return _read_sheet(path, layout, target, *workbooks)
    except Refused:
        raise
    except DefusedXmlException as error:
        raise Refused(say("xlsx_xml", file=path.name, error=type(error).__name__)) from None
    except Exception as error:
        # A hostile workbook can make openpyxl fail in any way; every one of them means that the file cannot be read.
        raise Refused(
            say("reading_failed", file=path.name, error=f"{type(error).__name__}: {str(error)[:120]}")
        ) from None
    finally:
        for workbook in workbooks:
            workbook.close()


def _read_sheet(path: Path, layout: Layout, target: Path, values, formulas) -> Staged:
    sheets = values.sheetnames
    if layout.sheet is None and len(sheets) != 1:
        raise Refused(say("xlsx_sheets", file=path.name, sheets=", ".join(sheets[:10])))
    name = layout.sheet or sheets[0]
    if name not in sheets:
        raise Refused(say("xlsx_no_sheet", file=path.name, sheet=name))
    pair = values[name], formulas[name]
    for sheet in pair:
        # The declared dimension is the file's claim; only the cells that are there count.
        sheet.reset_dimensions()
    rows = zip(*(sheet.iter_rows(min_row=layout.header_row, max_col=WIDEST + 1) for sheet in pair), strict=True)
    header = next(rows, (None, None))[0]
    if header is None:
        raise Refused(say("empty_file", file=path.name))
    heads = [cell.value for cell in header]
    while heads and heads[-1] is None:
        heads.pop()
    names = check_header(path.name, heads, layout)
    staged = Staged(path.name, target, {name: "text" for name in names if name}, 0, native=False)
    if extra := [str(head)[:40] for head, known in zip(heads, names, strict=True) if known is None]:
        staged.notes.append({"code": "extra_columns", "count": len(extra), "facts": extra[:20]})
    serial = {index for index, known in enumerate(names) if known in layout.dates}
    _write(staged, names, _cells(path, rows, len(heads), serial, values.epoch, layout.header_row, staged), target)
    if not staged.rows and not layout.may_be_empty:
        raise Refused(say("header_only", file=path.name))
    return staged


def _cells(path: Path, rows, width: int, serial: set[int], epoch, header_row: int, staged: Staged):
    for line, (shown, written) in enumerate(rows, header_row + 1):
        texts: list[str | None] = []
        for index, (cell, origin) in enumerate(zip(shown, written, strict=True)):
            if origin.data_type == "f" and cell.value is None:
                raise Refused(say("xlsx_formula", file=path.name, cell=f"{origin.column_letter}{line}"))
            texts.append(_cell_text(cell, index in serial, epoch))
        if not any(texts):
            staged.skipped["blank_lines"] = staged.skipped.get("blank_lines", 0) + 1
            continue
        problem = None
        if (texts[0] or "").strip() in TRAILERS:
            problem = "trailer"
        elif any(texts[width:]):
            problem = "too_many_columns"
        yield line, problem, (texts + [None] * width)[:width]


def _cell_text(cell, is_date: bool, epoch: dt.datetime) -> str | None:
    value = cell.value
    if value is None or isinstance(value, str):
        return ERROR_MARK + value if value and cell.data_type == "e" else value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dt.datetime):
        return value.isoformat(sep=" ", timespec="seconds") if value.time() != dt.time() else value.date().isoformat()
    if isinstance(value, dt.date):
        return value.isoformat()
    if isinstance(value, int | float):
        if is_date and 0 < value < 110_000 and value == int(value):
            return (epoch + dt.timedelta(days=int(value))).date().isoformat()
        if abs(value) >= 1e15:
            return DIGITS_MARK + format(value, ".15g")
        return str(int(value)) if value == int(value) else format(value, ".15g")
    return str(value)
