"""The rulebooks: class schemes, owned by the risk officer.

They are declared in data/rulebooks/<scheme>/<effective date>.toml.

`read_schemes()` returns the schemes; a scheme's edition in force on a day is a `Rulebook`, which
decides one customer with reasons (`classify`) and writes the SQL that decides all of them
(`to_sql`). Both follow one order: bars, then the classes in the declared order, the first whose
rules hold; then downgrades, the worst landing wins. A missing fact matters only where the outcome
depends on it: if a bar, class or worse landing that could still hold comes before anything that is
decided, the result is `unrated` (信息不足).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from analytics.rulebooks.errors import FactError, NoEdition, RulebookError
from analytics.rulebooks.facts import Fact, read_facts
from analytics.rulebooks.model import (
    UNRATED,
    UNRATED_NAMES,
    Class,
    Decision,
    Example,
    NearestChange,
    Parameter,
    TraceStep,
)
from analytics.rulebooks.rulebook import Rulebook
from analytics.rulebooks.syntax.parser import parse_rulebook
from analytics.rulebooks.syntax.source_lines import LARGEST_FILE, decode

__all__ = [
    "FOLDER",
    "UNRATED",
    "UNRATED_NAMES",
    "Class",
    "Decision",
    "Example",
    "Fact",
    "FactError",
    "NearestChange",
    "NoEdition",
    "Parameter",
    "Rulebook",
    "RulebookError",
    "Scheme",
    "TraceStep",
    "facts",
    "parse_rulebook_text",
    "read_rulebook_file",
    "read_schemes",
    "read_valid_schemes",
]

FOLDER = Path(__file__).resolve().parents[2] / "data" / "rulebooks"
_CONTRACT = FOLDER.parent / "contract" / "contract.toml"
_EDITION_NAME = re.compile(r"\d{4}-\d{2}-\d{2}\.toml")


@dataclass(frozen=True)
class Scheme:
    """One class scheme: its editions, sorted by effective date. `grain` is "customer" or "loan"."""

    id: str
    grain: str
    names: Mapping[str, str]
    editions: tuple[Rulebook, ...]

    def edition(self, as_of: date) -> Rulebook:
        """The edition in force on `as_of`.

        Raises NoEdition before the first one and after a repeal without successor.
        """
        for book in reversed(self.editions):
            if book.effective_on <= as_of:
                if book.repealed_on is not None and book.repealed_on <= as_of:
                    break
                return book
        first = self.editions[0].effective_on
        raise NoEdition(
            f"scheme {self.id} has no edition in force on {as_of} (the first is of {first})"
        )

    @property
    def class_codes(self) -> tuple[str, ...]:
        """The codes of all editions, the newest edition's order first, the unrated one last: the
        values of one enum.
        """
        codes = dict.fromkeys(c.code for book in reversed(self.editions) for c in book.classes)
        return (*codes, UNRATED)

    def class_names(self, code: str) -> Mapping[str, str]:
        """The names by language of a code in the newest edition that has it.

        Raises KeyError for an unknown one.
        """
        for book in reversed(self.editions):
            if code in book.class_codes:
                return book.class_names(code)
        raise KeyError(code)

    def to_sql(self, as_of: date, prefix: str | None = None) -> str:
        """The SQL of the edition in force on `as_of`; the constant 'unrated' where none was."""
        try:
            return self.edition(as_of).to_sql(prefix)
        except NoEdition:
            return f"'{UNRATED}'"


def read_schemes(folder: Path = FOLDER) -> dict[str, Scheme]:
    """All schemes of a folder by id, in the order of their names.

    Raises RulebookError for the first rulebook that is refused.
    """
    schemes = _loan_schemes(folder)
    facts_by_grain = _facts(folder, schemes)
    for path in _scheme_folders(folder):
        if path.name not in schemes:
            schemes[path.name] = _scheme(path, facts_by_grain)
    return {name: schemes[name] for name in sorted(schemes)}


def read_valid_schemes(
    folder: Path = FOLDER, stored_texts: Mapping[tuple[str, str], str] | None = None
) -> tuple[dict[str, Scheme], list[RulebookError]]:
    """Read all schemes; a refused file does not stop the others: (schemes, refusals).

    `stored_texts` holds texts by (scheme, effective date) that graded the data served: such a text
    replaces its file where the file is refused now. Without it the edition before stays in force; a
    scheme without any edition is left out.
    """
    refused: list[RulebookError] = []
    schemes = _loan_schemes(folder, refused, stored_texts or {})
    facts_by_grain = _facts(folder, schemes)
    for path in _scheme_folders(folder):
        if path.name not in schemes:
            try:
                schemes[path.name] = _scheme(path, facts_by_grain, refused, stored_texts or {})
            except RulebookError as error:
                refused.append(error)
    return {name: schemes[name] for name in sorted(schemes)}, refused


def facts(folder: Path = FOLDER) -> dict[str, dict[str, Fact]]:
    """The facts by grain and name. Raises RulebookError."""
    return _facts(folder, _loan_schemes(folder))


def read_rulebook_file(path: Path, folder: Path = FOLDER, examples: bool = True) -> Rulebook:
    """One rulebook file, wherever it lies, with the facts of `folder`: what an officer checks
    before signing. Raises RulebookError.
    """
    return parse_rulebook_text(_text(path, path.name), folder, path.name, examples)


def parse_rulebook_text(
    text: str, folder: Path = FOLDER, path: str = "", examples: bool = True
) -> Rulebook:
    """One rulebook from its text; with `examples=False` its examples are not run (a copy with moved
    thresholds). Raises RulebookError.
    """
    return parse_rulebook(text, facts(folder), path, examples)


def _loan_schemes(
    folder: Path,
    refused: list[RulebookError] | None = None,
    stored_texts: Mapping[tuple[str, str], str] = {},
) -> dict[str, Scheme]:
    """The schemes that grade loans.

    They come first: the class of a customer's worst loan is a fact of the customer.
    """
    contract = folder.parent / "contract" / "contract.toml"
    contract = contract if contract.exists() else _CONTRACT
    facts_by_grain = read_facts(folder, contract, None)
    schemes = {}
    for path in _scheme_folders(folder):
        if _grades_loans(path, stored_texts):
            schemes[path.name] = _scheme(path, facts_by_grain, refused, stored_texts)
    return schemes


def _grades_loans(folder: Path, stored_texts: Mapping[tuple[str, str], str]) -> bool:
    """Whether the first readable edition says so; that the others agree is checked when they are
    read.
    """
    texts = [text for (scheme, _), text in stored_texts.items() if scheme == folder.name]
    for file in sorted(folder.glob("*.toml")):
        try:
            texts.append(_text(file, file.name))
        except RulebookError:
            # told when the edition itself is read
            continue
    return any(re.search(r'^\s*grain\s*=\s*"loan"', text, re.MULTILINE) for text in texts[:1])


def _facts(folder: Path, schemes: Mapping[str, Scheme]) -> dict[str, dict[str, Fact]]:
    contract = folder.parent / "contract" / "contract.toml"
    contract = contract if contract.exists() else _CONTRACT
    classes = {
        name: {code: scheme.class_names(code) for code in scheme.class_codes[:-1]}
        for name, scheme in schemes.items()
    }
    return read_facts(folder, contract, classes)


def _scheme_folders(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise RulebookError("folder_missing", folder.name)
    return sorted(
        path for path in folder.iterdir() if path.is_dir() and not path.name.startswith((".", "_"))
    )


def _scheme(
    folder: Path,
    facts_by_grain: Mapping[str, Mapping[str, Fact]],
    refused: list[RulebookError] | None = None,
    stored_texts: Mapping[tuple[str, str], str] = {},
) -> Scheme:
    """The editions of one folder.

    Where refusals are collected, a refused file's kept text is read instead.
    """
    books: list[Rulebook] = []
    for path in sorted(folder.glob("*.toml")):
        try:
            books.append(_edition(path, folder.name, facts_by_grain, books[-1] if books else None))
        except RulebookError as error:
            if refused is None:
                raise
            refused.append(error)
            if text := stored_texts.get((folder.name, path.stem)):
                # it was good when it graded the data: its examples were run then
                books.append(
                    parse_rulebook(
                        text, facts_by_grain, f"{folder.name}/{path.name}", examples=False
                    )
                )
    if not books:
        raise RulebookError("scheme_empty", folder.name)
    return Scheme(folder.name, books[-1].grain, books[-1].names, tuple(books))


def _edition(
    path: Path,
    scheme: str,
    facts_by_grain: Mapping[str, Mapping[str, Fact]],
    before: Rulebook | None,
) -> Rulebook:
    name = f"{scheme}/{path.name}"
    if not _EDITION_NAME.fullmatch(path.name):
        raise RulebookError("edition_name", name)
    book = parse_rulebook(_text(path, name), facts_by_grain, name)
    if book.effective_on.isoformat() != path.stem:
        raise RulebookError("edition_date", name, effective_on=book.effective_on)
    if book.id != scheme:
        raise RulebookError("edition_id", name, given_id=book.id, folder=scheme)
    if before and before.repealed_on is not None and before.repealed_on > book.effective_on:
        raise RulebookError(
            "edition_overlap", name, earlier=before.effective_on, repealed_on=before.repealed_on
        )
    if before and before.grain != book.grain:
        raise RulebookError("edition_grain", name)
    return book


def _text(path: Path, name: str) -> str:
    try:
        with path.open("rb") as file:
            return decode(file.read(LARGEST_FILE + 1), name)
    except OSError as error:
        raise RulebookError("file_unreadable", name, strerror=error.strerror) from error
