"""XLSX files: looked at before anything is unpacked, then read cell by cell with openpyxl in read-only mode."""

from __future__ import annotations

import datetime as dt
import zipfile
from pathlib import Path

import openpyxl
from defusedxml import DefusedXmlException

from data.errors import UserError
from data.ingest.files import (
    MAX_COLUMNS,
    TOTAL_ROW_LABELS,
    FileFormat,
    StagedFile,
    check_header,
    write_text_parquet,
)

MAX_UNPACKED_BYTES = 200 * 1024**2
MAX_COMPRESSION_RATIO = 100
MAX_MEMBERS = 2000
ERROR_MARK = "#ERROR "
DIGITS_MARK = "#DIGITS "


def check_xlsx(path: Path) -> None:
    """Refused unless the file is an unencrypted workbook of sane size: looked at before anything is unpacked."""
    with path.open("rb") as file:
        magic = file.read(8)
    if magic.startswith(b"\xd0\xcf\x11\xe0"):
        raise UserError("xlsx_encrypted", file=path.name)
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            unpacked = sum(member.file_size for member in members)
            packed = max(1, sum(member.compress_size for member in members))
            if len(members) > MAX_MEMBERS:
                raise UserError("xlsx_bomb", file=path.name, what=f"{len(members)} members")
            if unpacked > MAX_UNPACKED_BYTES or (
                unpacked > 10 * 1024**2 and unpacked / packed > MAX_COMPRESSION_RATIO
            ):
                raise UserError("xlsx_bomb", file=path.name, what=f"{unpacked // 1024**2} MB")
            if "xl/workbook.xml" not in archive.namelist():
                raise UserError("xlsx_no_workbook", file=path.name)
    except (zipfile.BadZipFile, EOFError, NotImplementedError, OSError):
        raise UserError("xlsx_not_zip", file=path.name) from None


def stage_xlsx(path: Path, layout: FileFormat, target: Path) -> StagedFile:
    """Read one sheet and write it as a Parquet file of text columns. Dates become ISO text, numbers their
    shortest text."""
    check_xlsx(path)
    workbooks = []
    try:
        for data_only in (True, False):
            workbooks.append(openpyxl.load_workbook(path, read_only=True, data_only=data_only))
        return _read_sheet(path, layout, target, *workbooks)
    except UserError:
        raise
    except DefusedXmlException as error:
        raise UserError("xlsx_xml", file=path.name, error=type(error).__name__) from None
    except Exception as error:
        # A hostile workbook can make openpyxl fail in any way; every one of them means that the file cannot be read.
        raise UserError(
            "reading_failed", file=path.name, error=f"{type(error).__name__}: {str(error)[:120]}"
        ) from None
    finally:
        for workbook in workbooks:
            workbook.close()


def _read_sheet(path: Path, layout: FileFormat, target: Path, values, formulas) -> StagedFile:
    sheets = values.sheetnames
    if layout.sheet is None and len(sheets) != 1:
        raise UserError("xlsx_sheets", file=path.name, sheets=", ".join(sheets[:10]))
    name = layout.sheet or sheets[0]
    if name not in sheets:
        raise UserError("xlsx_no_sheet", file=path.name, sheet=name)
    pair = values[name], formulas[name]
    for sheet in pair:
        # The declared dimension is the file's claim; only the cells that are there count.
        sheet.reset_dimensions()
    rows = zip(*(sheet.iter_rows(min_row=layout.header_row) for sheet in pair), strict=True)
    header = next(rows, (None, None))[0]
    if header is None:
        raise UserError("empty_file", file=path.name)
    heads = [cell.value for cell in header]
    while heads and heads[-1] is None:
        heads.pop()
    names = check_header(path.name, heads, layout)
    staged = StagedFile(
        path.name, target, {name: "text" for name in names if name}, 0, native=False
    )
    if extra := [str(head)[:40] for head, known in zip(heads, names, strict=True) if known is None]:
        staged.notes.append({"code": "extra_columns", "count": len(extra), "facts": extra[:20]})
    serial = {index for index, known in enumerate(names) if known in layout.dates}
    write_text_parquet(
        staged,
        names,
        _cells(path, rows, len(heads), serial, values.epoch, layout.header_row, staged),
        target,
    )
    if not staged.rows and not layout.may_be_empty:
        raise UserError("header_only", file=path.name)
    return staged


def _cells(
    path: Path, rows, width: int, serial: set[int], epoch, header_row: int, staged: StagedFile
):
    for line, (shown, written) in enumerate(rows, header_row + 1):
        if len(shown) > MAX_COLUMNS:
            raise UserError("too_wide", file=path.name, count=len(shown))
        texts: list[str | None] = []
        for index, (cell, origin) in enumerate(zip(shown, written, strict=True)):
            if origin.data_type == "f" and cell.value is None:
                raise UserError(
                    "xlsx_formula", file=path.name, cell=f"{origin.column_letter}{line}"
                )
            texts.append(_cell_text(cell, index in serial, epoch))
        if not any(texts):
            staged.skipped["blank_lines"] = staged.skipped.get("blank_lines", 0) + 1
            continue
        problem = None
        if (texts[0] or "").strip() in TOTAL_ROW_LABELS:
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
        return (
            value.isoformat(sep=" ", timespec="seconds")
            if value.time() != dt.time()
            else value.date().isoformat()
        )
    if isinstance(value, dt.date):
        return value.isoformat()
    if isinstance(value, int | float):
        if is_date and 0 < value < 110_000 and value == int(value):
            return (epoch + dt.timedelta(days=int(value))).date().isoformat()
        if abs(value) >= 1e15:
            return DIGITS_MARK + format(value, ".15g")
        return str(int(value)) if value == int(value) else format(value, ".15g")
    return str(value)
