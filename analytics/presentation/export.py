"""Frames → files that say what they show: CSV that opens right in Excel, and XLSX with a sheet of definitions.

Text that a spreadsheet would run as a formula is disarmed in both (CWE-1236): a leading apostrophe in CSV, a text
cell in XLSX.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd
import xlsxwriter

from analytics.i18n import text

# What follows blanks, no-break blanks or a byte-order mark and would start a formula, half or full width.
_FORMULA = re.compile("^[ \u00a0\u3000\ufeff]*[=+\\-@\t\r\n＝＋－＠]")
_FORMATS = {
    "rate": "0.00%",
    "money": "#,##0.00",
    "count": "#,##0",
    "days": "0",
    "number": "#,##0.00",
    "date": "yyyy-mm-dd",
}


@dataclass(frozen=True)
class Column:
    """How one column of a frame leaves the house: its header in the reader's language and its unit
    (rate, money, count, days, number, date or text)."""

    header: str
    unit: str = "text"


Notes = Sequence[tuple[str, str]]


def is_formula(value: object) -> bool:
    """Whether a spreadsheet would take this text for a formula."""
    return isinstance(value, str) and _FORMULA.match(value) is not None


def _cell(value: object, unit: str) -> object:
    """A plain Python value: None for missing, ISO text for dates, int for counts."""
    if value is pd.NaT or text.is_missing(value):
        return None
    if unit == "date":
        return str(value)[:10]
    if unit == "text":
        return str(value)
    return int(value) if unit in ("count", "days") else float(value)


def csv_bytes(frame: pd.DataFrame, columns: Mapping[str, Column], notes: Notes, lang: str) -> bytes:
    """UTF-8 with a byte-order mark, every field quoted, CRLF; the notes (definition, filters, as-of, edition) follow
    the table after one empty line. Only the declared columns are written, in their order."""
    out = io.StringIO()
    writer = csv.writer(out, quoting=csv.QUOTE_ALL, lineterminator="\r\n")
    disarmed = 0

    def safe(value: object) -> object:
        nonlocal disarmed
        if is_formula(value):
            disarmed += 1
            return f"'{value}"
        return "" if value is None else value

    writer.writerow([safe(column.header) for column in columns.values()])
    for line in zip(*(frame[name] for name in columns), strict=True):
        writer.writerow([safe(_cell(value, column.unit)) for value, column in zip(line, columns.values(), strict=True)])
    writer.writerow([])
    for label, said in notes:
        writer.writerow([safe(label), safe(said)])
    if disarmed:
        writer.writerow([text.say("export.note", lang), text.say("export.disarmed", lang, count=disarmed)])
    return out.getvalue().encode("utf-8-sig")


def xlsx_bytes(frame: pd.DataFrame, columns: Mapping[str, Column], notes: Notes, lang: str) -> bytes:
    """A workbook of two sheets: the table with number formats, frozen header and filter; and the notes
    (definition, filters, as-of, edition). No cell is ever a formula or a link."""
    out = io.BytesIO()
    options = {
        "in_memory": True,
        "strings_to_formulas": False,
        "strings_to_urls": False,
        "strings_to_numbers": False,
        "nan_inf_to_errors": False,
    }
    with xlsxwriter.Workbook(out, options) as book:
        head = book.add_format({"bold": True, "bottom": 1, "text_wrap": True, "valign": "top"})
        formats = {unit: book.add_format({"num_format": pattern}) for unit, pattern in _FORMATS.items()}
        sheet = book.add_worksheet(text.say("export.table", lang))
        for place, (name, column) in enumerate(columns.items()):
            sheet.write_string(0, place, column.header, head)
            longest = len(column.header) * 2
            for row, value in enumerate(frame[name], start=1):
                value = _cell(value, column.unit)
                if value is None:
                    continue
                if column.unit == "date":
                    sheet.write_datetime(row, place, pd.Timestamp(str(value)).to_pydatetime(), formats["date"])
                    longest = max(longest, 10)
                elif column.unit == "text":
                    sheet.write_string(row, place, str(value))
                    longest = max(longest, len(str(value).encode("gb18030", "replace")))
                else:
                    sheet.write_number(row, place, value, formats[column.unit])
                    longest = max(longest, 14)
            sheet.set_column(place, place, min(longest + 2, 48))
        sheet.freeze_panes(1, 0)
        if columns:
            sheet.autofilter(0, 0, max(len(frame), 1), len(columns) - 1)
        about = book.add_worksheet(text.say("export.about", lang))
        wrap = book.add_format({"text_wrap": True, "valign": "top"})
        about.set_column(0, 0, 18)
        about.set_column(1, 1, 90, wrap)
        for row, (label, said) in enumerate(notes):
            about.write_string(row, 0, label, head)
            about.write_string(row, 1, said, wrap)
    return out.getvalue()
