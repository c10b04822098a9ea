"""Merged cells of a sheet: which rows the value of a merged range belongs to.

A spreadsheet keeps the value in the first cell of the range and leaves the others empty. Over
several rows of one column that holds identifiers, codes, texts, dates or rates, the value is that
of each row. Amounts and counts may be the total of the rows or the value of each, and over several
columns nothing says which column is meant: the sheet is refused, and the message names the range.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from openpyxl.utils.cell import range_boundaries

from data.errors import UserError

_MERGED = re.compile(rb'<(?:\w+:)?mergeCell\s[^>]*?ref="([A-Z0-9:$]+)"')
_CHUNK_BYTES = 1024**2
# Longer than any element <mergeCell …/>, which may lie across two chunks.
_OVERLAP_BYTES = 256


@dataclass
class MergedCells:
    """The merged ranges below the header that touch a declared column.

    Parameters
    ----------
    fills
        By position of the column: the last row of each range by its first row.
    refused
        Ranges by their first row: (last row, range).
    values
        By position of the column: the last row and the value of the range being read.
    filled
        Ranges of which the value was given to more rows.
    """

    file: str
    fills: dict[int, dict[int, int]] = field(default_factory=dict)
    refused: list[tuple[int, int, str]] = field(default_factory=list)
    values: dict[int, tuple[int, str | None]] = field(default_factory=dict)
    filled: list[str] = field(default_factory=list)

    def fill(self, line: int, texts: list[str | None]) -> int:
        """Give the row the values of the ranges that reach it; return the number of cells filled.

        Raises
        ------
        UserError
            When the row lies in a range whose value cannot be told apart.
        """
        for first, last, name in self.refused:
            if first <= line <= last:
                raise UserError("xlsx_merged", file=self.file, range=name)
        count = 0
        for index, last_by_first in self.fills.items():
            if line in last_by_first:
                self.values[index] = (last_by_first[line], texts[index])
            last, value = self.values.get(index, (0, None))
            if line <= last and texts[index] is None and value is not None:
                texts[index] = value
                count += 1
        return count


def read_merged_cells(
    path: Path,
    member: str,
    names: Sequence[str | None],
    header_row: int,
    amounts: frozenset[str],
) -> MergedCells:
    """Return the merged ranges of the sheet stored as `member` of the workbook.

    Parameters
    ----------
    names
        The declared name of each column; None for a column that is not read.
    amounts
        Columns of which a merged range is refused.
    """
    merged = MergedCells(path.name)
    for name in _ranges(path, member):
        left, first, right, last = range_boundaries(name)
        declared = [index for index in range(left - 1, right) if _name(names, index)]
        if last <= header_row or not declared or (first, left) == (last, right):
            continue
        is_one_column = left == right and first > header_row
        if is_one_column and names[declared[0]] not in amounts:
            merged.fills.setdefault(declared[0], {})[first] = last
            merged.filled.append(name)
        else:
            merged.refused.append((max(first, header_row + 1), last, name))
    return merged


def _name(names: Sequence[str | None], index: int) -> str | None:
    return names[index] if index < len(names) else None


def _ranges(path: Path, member: str) -> Iterator[str]:
    """Yield the merged ranges in the XML of a sheet, which stand behind its rows."""
    with zipfile.ZipFile(path) as archive, archive.open(member.lstrip("/")) as stream:
        tail = b""
        while chunk := stream.read(_CHUNK_BYTES):
            text = tail + chunk
            end = 0
            for match in _MERGED.finditer(text):
                yield match[1].decode().replace("$", "")
                end = match.end()
            tail = text[max(end, len(text) - _OVERLAP_BYTES) :]
