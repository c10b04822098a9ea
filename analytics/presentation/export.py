"""Export of tables: CSV that Excel opens correctly, and XLSX with a sheet of definitions.

Text that a spreadsheet would run as a formula is neutralised in both (CWE-1236): a leading
apostrophe in CSV, a text cell in XLSX.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
import xlsxwriter

from analytics.i18n import text

# Spreadsheets skip leading blanks, no-break blanks and a byte-order mark.
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
class ExportColumn:
    """One exported column.

    `header` is in the reader's language; `unit` is rate, money, count, days, number, date or text.
    """

    header: str
    unit: str = "text"


Notes = Sequence[tuple[str, str]]


def is_formula(value: object) -> bool:
    """Return whether a spreadsheet would take this text for a formula."""
    return isinstance(value, str) and _FORMULA.match(value) is not None


def _cell(value: Any, unit: str) -> Any:
    """Return a plain Python value: None for missing, ISO text for dates, int for counts."""
    if value is pd.NaT or text.is_missing(value):
        return None
    if unit == "date":
        return str(value)[:10]
    if unit == "text":
        return str(value)
    # Adding 0.0 turns −0.0 into 0.0.
    return int(value) if unit in ("count", "days") else float(value) + 0.0


def csv_bytes(
    frame: pd.DataFrame, columns: Mapping[str, ExportColumn], notes: Notes, lang: str
) -> bytes:
    """Return a CSV file: UTF-8 with a byte-order mark, every field quoted, CRLF.

    Only the declared columns are written, in their order. The notes (definition, filters, as-of,
    edition) come after the table and one empty line.
    """
    out = io.StringIO()
    writer = csv.writer(out, quoting=csv.QUOTE_ALL, lineterminator="\r\n")
    neutralised = 0

    def safe(value: object) -> object:
        nonlocal neutralised
        if is_formula(value):
            neutralised += 1
            return f"'{value}"
        return "" if value is None else value

    writer.writerow([safe(column.header) for column in columns.values()])
    for line in zip(*(frame[name] for name in columns), strict=True):
        writer.writerow(
            [
                safe(_cell(value, column.unit))
                for value, column in zip(line, columns.values(), strict=True)
            ]
        )
    writer.writerow([])
    for label, words in notes:
        writer.writerow([safe(label), safe(words)])
    if neutralised:
        writer.writerow(
            [text.say("export.note", lang), text.say("export.disarmed", lang, count=neutralised)]
        )
    return out.getvalue().encode("utf-8-sig")


def xlsx_bytes(
    frame: pd.DataFrame, columns: Mapping[str, ExportColumn], notes: Notes, lang: str
) -> bytes:
    """Return a workbook of two sheets: the table and the notes.

    Notes are definition, filters, as-of and edition. The table has number formats, a frozen header
    and a filter. No cell is a formula or a link.
    """
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
        formats = {
            unit: book.add_format({"num_format": pattern}) for unit, pattern in _FORMATS.items()
        }
        sheet = book.add_worksheet(text.say("export.table", lang))
        for position, (name, column) in enumerate(columns.items()):
            sheet.write_string(0, position, column.header, head)
            longest = len(column.header) * 2
            for row, value in enumerate(frame[name], start=1):
                value = _cell(value, column.unit)
                if value is None:
                    continue
                if column.unit == "date":
                    sheet.write_datetime(
                        row, position, pd.Timestamp(str(value)).to_pydatetime(), formats["date"]
                    )
                    longest = max(longest, 10)
                elif column.unit == "text":
                    sheet.write_string(row, position, str(value))
                    longest = max(longest, len(str(value).encode("gb18030", "replace")))
                else:
                    sheet.write_number(row, position, value, formats[column.unit])
                    longest = max(longest, 14)
            sheet.set_column(position, position, min(longest + 2, 48))
        sheet.freeze_panes(1, 0)
        if columns:
            sheet.autofilter(0, 0, max(len(frame), 1), len(columns) - 1)
        about = book.add_worksheet(text.say("export.about", lang))
        wrap = book.add_format({"text_wrap": True, "valign": "top"})
        about.set_column(0, 0, 18)
        about.set_column(1, 1, 90, wrap)
        for row, (label, words) in enumerate(notes):
            about.write_string(row, 0, label, head)
            about.write_string(row, 1, words, wrap)
    return out.getvalue()
