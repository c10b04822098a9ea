"""Errors that a user reads: a code and its facts. data/messages has the sentences."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from data.messages import both_languages, error_text, reason


@dataclass(frozen=True)
class RejectedRows:
    """The rejected rows of a load.

    Parameters
    ----------
    count
        Their number.
    examples
        The first few of them: table, file, line, column, value (masked) and reason.
    path
        The CSV file of all of them.
    """

    count: int
    examples: list[dict[str, Any]]
    path: Path

    def lines(self) -> list[str]:
        """Return one line a row and one that names the file, in both languages."""
        texts = [_line(row) for row in self.examples]
        return [*texts, f"共 {self.count:,} 行被拒绝 / rows refused: {self.path}"]

    def to_json(self) -> dict[str, Any]:
        """Return number, first rows and path for JSON."""
        return {"count": self.count, "examples": self.examples, "path": str(self.path)}


def _line(row: Mapping[str, Any]) -> str:
    value = "" if row["value"] is None else f" {row['value']!r}"
    place = f"{row['file']}:{row['line']}  {row['column'] or '-'}"
    return f"{place}{value}  {row['reason']} ({reason(row['reason'])})"


class UserError(Exception):
    """Base of every error of the product that a user reads.

    `str()` gives Chinese and English in one line, `text(language)` one of them.

    Parameters
    ----------
    code
        A key of the sections `load` or `question` of the catalogues in data/messages.
    facts
        Values of the names in the sentence. A mapping by language is shown in the reader's
        language, a list is joined.

    Attributes
    ----------
    rejected
        The rejected rows of a load that is refused; None without any.
    """

    rejected: RejectedRows | None = None

    def __init__(self, code: str, /, **facts: Any) -> None:
        self.code = code
        self.facts = facts
        super().__init__(both_languages(code, **facts))

    def text(self, language: str) -> str:
        """Return the sentence in one language, `zh-CN` or `en`."""
        return error_text(self.code, self.facts, language)


class InvalidRequest(UserError):
    """The request names something that does not exist or is not possible: exit code 2, not 1."""
