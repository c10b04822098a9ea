"""The text of a rulebook file with line numbers, which tomllib does not give and officers need."""

from __future__ import annotations

import re
import tomllib
from decimal import Decimal
from typing import Any

from analytics.rulebooks.errors import RulebookError
from analytics.rulebooks.syntax.rule_text import FULL_WIDTH

LARGEST_FILE = 512 * 1024
DEEPEST = 12


def decode(raw: bytes, path: str) -> str:
    """The bytes of a rulebook file as text.

    Raises RulebookError for a huge file or one that is not UTF-8.
    """
    if len(raw) > LARGEST_FILE:
        raise RulebookError("too_large", path, largest_file=LARGEST_FILE)
    try:
        return raw.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        raise RulebookError("not_utf8", path, raw[: error.start].count(b"\n") + 1) from error


def load(lines: SourceLines, path: str) -> dict[str, Any]:
    """The values of a TOML text, fractions as Decimal.

    Raises RulebookError: huge, nested too deep or no TOML.
    """
    if len(lines.text) > LARGEST_FILE:
        raise RulebookError("too_large", path, largest_file=LARGEST_FILE)
    if (deep := lines.deeper_than(DEEPEST)) is not None:
        raise RulebookError("brackets_too_deep", path, deep, deepest=DEEPEST)
    try:
        return tomllib.loads(lines.text, parse_float=Decimal)
    except RecursionError as error:
        raise RulebookError("file_too_deep", path) from error
    except (ValueError, ArithmeticError) as error:
        # Python refuses a number of thousands of digits with a plain ValueError
        match = re.search(r"at line (\d+)", str(error))
        line = int(match[1]) if match else len(lines.lines)
        if wrong := FULL_WIDTH.search(
            re.sub(r'"[^"]*"|#.*', "", lines.lines[min(line, len(lines.lines)) - 1])
        ):
            raise RulebookError("full_width", path, line, character=wrong[0]) from error
        raise RulebookError("toml", path, line, error=error) from error


class SourceLines:
    """The lines of one file, counted from 1. A search without result returns None."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.lines = text.split("\n")
        self._cursor: dict[tuple[str, int], tuple[int, int]] = {}
        self._headers: dict[str, list[int]] = {}
        for number, line in enumerate(self.lines, 1):
            if match := re.match(r"\s*(\[\[?)\s*([A-Za-z0-9_.\-]+)\s*\]", line):
                self._headers.setdefault(match[1] + match[2], []).append(number)

    def header(self, name: str, index: int) -> int | None:
        """The line of the (index + 1)-th [[name]]."""
        lines = self._headers.get("[[" + name, [])
        return lines[index] if index < len(lines) else None

    def table(self, name: str) -> int | None:
        """The line of [name]."""
        lines = self._headers.get("[" + name, [])
        return lines[0] if lines else None

    def any_of(self, name: str) -> int | None:
        """The first line of [name], [name.x], [[name]] or name =."""
        return next(
            (
                n
                for n, line in enumerate(self.lines, 1)
                if re.match(rf"\s*\[*\s*{re.escape(name)}\b", line)
            ),
            None,
        )

    def key(self, name: str) -> int | None:
        """The line of `name =`."""
        return next(
            (
                n
                for n, line in enumerate(self.lines, 1)
                if re.match(rf"\s*{re.escape(name)}\s*=", line)
            ),
            None,
        )

    def find(self, where: tuple[str, int], text: str) -> int | None:
        """The next line that holds `text` in quotes within the table `where` = (name, index).

        Called in the order of the file, it finds equal rules of one table one after the other.
        """
        start = self.header(*where) or self.table(where[0])
        if start is None:
            return None
        line, column = self._cursor.get(where, (start, 0))
        for number in range(line, len(self.lines) + 1):
            for quote in "\"'":
                at = self.lines[number - 1].find(
                    quote + text + quote, column if number == line else 0
                )
                if at >= 0:
                    self._cursor[where] = (number, at + len(text) + 1)
                    return number
        return None

    def deeper_than(self, depth: int) -> int | None:
        """Return the first line where brackets are nested deeper than `depth`."""
        level = 0
        for number, line in enumerate(self.lines, 1):
            for character in re.sub(r'"(\\.|[^"\\])*"|\'[^\']*\'|#.*', "", line):
                if character in "[{":
                    level += 1
                elif character in "]}":
                    level = max(0, level - 1)
                if level > depth:
                    return number
        return None
