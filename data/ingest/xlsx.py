"""XLSX files: checked before they are unpacked, then read by openpyxl in read-only mode."""

from __future__ import annotations

import datetime as dt
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import openpyxl
from defusedxml import DefusedXmlException
from openpyxl.utils.datetime import from_excel

from data.errors import UserError
from data.ingest.files import (
    MAX_COLUMNS,
    TOTAL_ROW_LABELS,
    FileFormat,
    Record,
    StagedFile,
    check_header,
    write_text_parquet,
)
from data.ingest.xlsx_merged import MergedCells, read_merged_cells

if TYPE_CHECKING:
    from openpyxl.cell import Cell
    from openpyxl.workbook import Workbook

MAX_UNPACKED_BYTES = 200 * 1024**2
MIN_SUSPICIOUS_BYTES = 10 * 1024**2
MAX_COMPRESSION_RATIO = 100
MAX_MEMBERS = 2000
# Numbers above are not exact to the unit in Excel.
MIN_INEXACT = 1e15
# Serial numbers of days up to the year 2200.
MAX_DAY_NUMBER = 110_000
# Seconds: a serial number of a day is exact to half a microsecond, sums of them to a few.
MAX_ARITHMETIC_ERROR = 1e-5
ERROR_MARK = "#ERROR "
DIGITS_MARK = "#DIGITS "


def check_xlsx(path: Path) -> None:
    """Raise UserError unless the file is an unencrypted workbook of an acceptable unpacked size."""
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
            is_dense = unpacked / packed > MAX_COMPRESSION_RATIO
            if unpacked > MAX_UNPACKED_BYTES or (unpacked > MIN_SUSPICIOUS_BYTES and is_dense):
                raise UserError("xlsx_bomb", file=path.name, what=f"{unpacked // 1024**2} MB")
            if "xl/workbook.xml" not in archive.namelist():
                raise UserError("xlsx_no_workbook", file=path.name)
    except (zipfile.BadZipFile, EOFError, NotImplementedError, OSError):
        raise UserError("xlsx_not_zip", file=path.name) from None


def stage_xlsx(path: Path, file_format: FileFormat, target: Path) -> StagedFile:
    """Read one sheet and write it as a Parquet file of text columns.

    Dates become ISO text, numbers their shortest text.

    Raises
    ------
    UserError
        For a file that cannot be read, an unknown sheet, a wrong header, a formula without its
        value and a sheet without rows.
    """
    check_xlsx(path)
    workbooks: list[Workbook] = []
    try:
        for data_only in (True, False):
            workbooks.append(openpyxl.load_workbook(path, read_only=True, data_only=data_only))
        return _read_sheet(path, file_format, target, *workbooks)
    except UserError:
        raise
    except DefusedXmlException as error:
        raise UserError("xlsx_xml", file=path.name, error=type(error).__name__) from None
    except Exception as error:
        # A hostile workbook can make openpyxl fail in any way; each means that it cannot be read.
        problem = f"{type(error).__name__}: {str(error)[:120]}"
        raise UserError("reading_failed", file=path.name, error=problem) from None
    finally:
        for workbook in workbooks:
            workbook.close()


def _read_sheet(
    path: Path, file_format: FileFormat, target: Path, values: Workbook, formulas: Workbook
) -> StagedFile:
    name = _sheet_name(path, file_format, values.sheetnames)
    # openpyxl rounds a time to the millisecond, up to the next day; the numbers are read instead.
    values._date_formats.clear()
    sheets: list[Any] = [values[name], formulas[name]]
    for sheet in sheets:
        # The declared dimension may be wrong; only existing cells count.
        sheet.reset_dimensions()
    rows = zip(*(sheet.iter_rows(min_row=file_format.header_row) for sheet in sheets), strict=True)
    header = next(rows, (None, None))[0]
    if header is None:
        raise UserError("empty_file", file=path.name)
    titles = [cell.value for cell in header]
    while titles and titles[-1] is None:
        titles.pop()
    names = check_header(path.name, titles, file_format)
    types = {name: "text" for name in names if name}
    staged = StagedFile(path.name, target, types, 0, native=False)
    staged.note_extra_columns(titles, names)
    reader = _RowReader(
        staged,
        width=len(titles),
        dates={index for index, name in enumerate(names) if name in file_format.dates},
        epoch=values.epoch,
        merged=read_merged_cells(
            path,
            values[name]._worksheet_path,
            names,
            file_format.header_row,
            file_format.amounts,
        ),
    )
    records = reader.records(rows, file_format.header_row + 1)
    write_text_parquet(staged, names, records, target)
    reader.note_filled_cells()
    if not staged.rows and not file_format.may_be_empty:
        raise UserError("header_only", file=path.name)
    return staged


def _sheet_name(path: Path, file_format: FileFormat, names: list[str]) -> str:
    if file_format.sheet is None and len(names) != 1:
        raise UserError("xlsx_sheets", file=path.name, sheets=", ".join(names[:10]))
    name = file_format.sheet or names[0]
    if name not in names:
        raise UserError("xlsx_no_sheet", file=path.name, sheet=name)
    return name


@dataclass(frozen=True)
class _RowReader:
    """Reads the rows of a sheet as text.

    Parameters
    ----------
    width
        Columns of the header.
    dates
        Positions of the columns that may hold serial numbers of days.
    epoch
        The day of serial number 0.
    """

    staged: StagedFile
    width: int
    dates: set[int]
    epoch: dt.datetime
    merged: MergedCells
    filled_rows: list[int] = field(default_factory=list)

    def note_filled_cells(self) -> None:
        """Note how many rows got values of merged cells, and the first 20 ranges."""
        if self.filled_rows:
            facts = self.merged.filled[:20]
            count = len(self.filled_rows)
            self.staged.notes.append({"code": "merged_cells", "count": count, "facts": facts})

    def records(
        self, rows: Iterator[tuple[tuple[Cell, ...], tuple[Cell, ...]]], first_line: int
    ) -> Iterator[Record]:
        """Yield the records of rows given as (cells with values, cells with formulas)."""
        for line, (value_cells, formula_cells) in enumerate(rows, first_line):
            if len(value_cells) > MAX_COLUMNS:
                raise UserError("too_wide", file=self.staged.file, count=len(value_cells))
            self._check_formulas(line, value_cells, formula_cells)
            texts = [
                _cell_text(cell, self.epoch, is_day=index in self.dates)
                for index, cell in enumerate(value_cells)
            ]
            if not any(texts):
                self.staged.skip("blank_lines")
                continue
            problem = None
            if (texts[0] or "").strip() in TOTAL_ROW_LABELS:
                problem = "trailer"
            elif any(texts[self.width :]):
                problem = "too_many_columns"
            padding: list[str | None] = [None] * self.width
            row = (texts + padding)[: self.width]
            if problem is None and self.merged.fill(line, row):
                self.filled_rows.append(line)
            yield line, problem, row

    def _check_formulas(
        self, line: int, value_cells: tuple[Cell, ...], formula_cells: tuple[Cell, ...]
    ) -> None:
        for cell, formula in zip(value_cells, formula_cells, strict=True):
            if formula.data_type == "f" and cell.value is None:
                address = f"{formula.column_letter}{line}"
                raise UserError("xlsx_formula", file=self.staged.file, cell=address)


def _cell_text(cell: Cell, epoch: dt.datetime, *, is_day: bool) -> str | None:
    """Return a cell as text; `is_day` for a column of dates, where whole numbers are days."""
    value = cell.value
    if value is None or isinstance(value, str):
        return ERROR_MARK + value if value and cell.data_type == "e" else value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float) and cell.is_date:
        return _date_text(value, epoch)
    if isinstance(value, dt.datetime):
        return _time_text(value)
    if isinstance(value, dt.date):
        return value.isoformat()
    if isinstance(value, int | float):
        return _number_text(value, epoch if is_day else None)
    return str(value)


def _date_text(serial: float, epoch: dt.datetime) -> str:
    """Return the time of a serial number, cut to the second: a time before midnight stays so.

    What is less than `MAX_ARITHMETIC_ERROR` from a second is that second.
    """
    day, fraction = divmod(serial, 1)
    seconds = int(fraction * 86_400 + MAX_ARITHMETIC_ERROR)
    try:
        value = from_excel(day + seconds / 86_400, epoch)
    except (OverflowError, ValueError):
        return f"{ERROR_MARK}#VALUE!"
    return _time_text(value) if isinstance(value, dt.datetime) else str(value)


def _time_text(value: dt.datetime) -> str:
    if value.time() == dt.time():
        return value.date().isoformat()
    return value.isoformat(sep=" ", timespec="seconds")


def _number_text(value: float, epoch: dt.datetime | None) -> str:
    is_whole = float(value).is_integer()
    if epoch and 0 < value < MAX_DAY_NUMBER and is_whole:
        return (epoch + dt.timedelta(days=int(value))).date().isoformat()
    if abs(value) >= MIN_INEXACT:
        return DIGITS_MARK + format(value, ".15g")
    return str(int(value)) if is_whole else format(value, ".15g")
