"""Classification of the rows of a CSV file: plain rows in SQL, doubtful ones one by one.

Columns are named like the facts; `id`, `customer_id` and `loan_id` are copied to the result. A row
is rejected on its own, for a value of a wrong type, a value in a column that is no fact, or a wrong
number of fields; the others are classified.
"""

from __future__ import annotations

import csv
import difflib
import io
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
from pyarrow import csv as arrow_csv

from analytics.rulebooks import UNRATED, Fact, FactError, Rulebook
from analytics.rulebooks.clause_sql import SEPARATOR, clauses_sql
from analytics.rulebooks.facts import DIGITS
from data.editions.part_writer import open_build_session
from data.errors import UserError
from data.ingest.encodings import decide_encodings, probe_encoding

ID_COLUMNS = ("id", "customer_id", "loan_id")
# Longer numbers lose digits as a double; they are parsed one by one.
_MOST_DIGITS = 15


def grade(path: Path, book: Rulebook, facts: Mapping[str, Fact], lang: str) -> pd.DataFrame:
    """One line per row of the file, in its order: row (from 1, the header not counted), the columns
    carried, class (empty where refused), name, clauses, missing (facts whose absence leaves the row
    unrated), error (a sentence).

    `facts` are those of the rulebook's grain. Raises UserError for a file that is no CSV with a
    header.
    """
    text = _text(path)
    header = _header(text, path.name)
    rows, broken = _rows(text, header, path.name, lang)
    columns = {name: facts[name] for name in header if name in facts}
    carried = [name for name in ID_COLUMNS if name in header]
    unknown_columns = [name for name in header if name not in facts and name not in ID_COLUMNS]
    with tempfile.TemporaryDirectory(prefix="grading-") as folder:
        session = open_build_session(Path(folder) / "part.duckdb", keep_order=True, threads=2)
        try:
            session.register(rows, "csv_rows")
            graded = session.frame(_sql(book, columns, unknown_columns, carried))
        finally:
            session.abandon()
    grader = _RowGrader(book, columns, unknown_columns, facts, lang)
    doubtful = graded["doubtful"].to_numpy()
    unrated = (graded["class"] == UNRATED).to_numpy() & ~doubtful
    if doubtful.any():
        answers = [
            grader.grade(dict(zip(header, line, strict=True)))
            for line in _lines(rows, doubtful, header)
        ]
        graded.loc[doubtful, ["class", "clauses", "missing", "error"]] = answers
    graded.loc[unrated, "missing"] = [
        grader.missing(line) for line in _lines(rows, unrated, list(columns))
    ]
    names = {code: book.class_names(code)[lang] for code in book.class_codes}
    graded["name"] = graded["class"].map(names).fillna("")
    graded = pd.concat([graded, pd.DataFrame(broken)], ignore_index=True).sort_values(
        "row", kind="stable"
    )
    column_names = ["row", *carried, "class", "name", "clauses", "missing", "error"]
    return graded.reindex(columns=column_names).fillna("").reset_index(drop=True)


def _text(path: Path) -> str:
    try:
        encoding = decide_encodings([probe_encoding(path)])[path.name][0]
        text = path.read_text(encoding=encoding)
    except OSError as error:
        raise UserError("csv_unreadable", name=path.name, strerror=error.strerror) from error
    return text.removeprefix("\ufeff")


def _header(text: str, name: str) -> list[str]:
    header = [column.strip() for column in next(csv.reader(io.StringIO(text)), [])]
    twice = sorted({column for column in header if header.count(column) > 1})
    if not any(header) or twice:
        which = twice[0] if twice else ""
        raise UserError("csv_header", name=name, which=which)
    return header


def _rows(text: str, header: list[str], name: str, lang: str) -> tuple[pa.Table, list[dict]]:
    """All fields as text with a column `row`, and the rows that have a wrong number of fields."""
    broken: list[dict] = []

    def keep(row: arrow_csv.InvalidRow) -> str:
        zh = f"应有 {row.expected_columns} 个字段，实有 {row.actual_columns} 个"
        en = f"the row has {row.actual_columns} fields instead of {row.expected_columns}"
        broken.append({"row": row.number - 1, "class": "", "error": zh if lang == "zh-CN" else en})
        return "skip"

    try:
        table = arrow_csv.read_csv(
            io.BytesIO(text.encode("utf-8")),
            arrow_csv.ReadOptions(use_threads=False, column_names=header, skip_rows=1),
            arrow_csv.ParseOptions(newlines_in_values=True, invalid_row_handler=keep),
            arrow_csv.ConvertOptions(
                column_types=dict.fromkeys(header, pa.string()), strings_can_be_null=False
            ),
        )
    except pa.ArrowInvalid as error:
        if "Empty CSV" not in str(error):
            raise UserError("csv_syntax", name=name, error=error) from error
        table = pa.table({column: pa.array([], pa.string()) for column in header})
    gaps = {entry["row"] for entry in broken}
    numbers = (number for number in range(1, len(table) + len(broken) + 1) if number not in gaps)
    return table.append_column("row", pa.array(numbers, pa.int64())), broken


def _sql(
    book: Rulebook, columns: Mapping[str, Fact], unknown_columns: list[str], carried: list[str]
) -> str:
    """The rows read by type, graded; `doubtful` marks those with a field that has to be looked at
    singly.
    """
    read = []
    doubts = [f"trim({_quoted(name)}) <> ''" for name in unknown_columns]
    for name, fact in columns.items():
        value = _read(fact)
        read.append(f"{value} as {name}")
        doubts.append(f"(trim({_quoted(name)}) <> '' and {value} is null)")
    absent = {name: fact for name, fact in book.fact_index.items() if name not in columns}
    read += [
        f"cast(null as {_TYPES.get(fact.type, 'varchar')}) as {name}"
        for name, fact in absent.items()
    ]
    carried_columns = "".join(f"{_quoted(name)}, " for name in carried)
    doubtful = " or ".join(doubts) or "false"
    return (
        f"with facts as (select row, {carried_columns}{', '.join(read)}, {doubtful} as doubtful "
        "from csv_rows),\n"
        f"graded as (select *, {book.to_sql()} as class from facts)\n"
        f"select row, {carried_columns}case when doubtful then '' else class end as class,\n"
        f"{clauses_sql(book, 'class')} as clauses, '' as missing, '' as error, doubtful "
        "from graded order by row"
    )


_TYPES = {
    "int": "bigint",
    "money": "decimal(18, 2)",
    "rate": "decimal(18, 6)",
    "number": "double",
    "bool": "boolean",
}


def _read(fact: Fact) -> str:
    """A field read by the fact's type, as `Fact.read` reads it; null where it is empty or not
    plain.
    """
    field = f"trim({_quoted(fact.name)})"
    if fact.type == "code":
        codes = ", ".join(f"'{code}'" for code in dict.fromkeys((*fact.values, fact.unknown)))
        return f"try_cast({field} as enum({codes}))"
    if fact.type == "bool":
        yes, no = (
            f"lower({field}) in ({words})" for words in ("'true', '1', '是'", "'false', '0', '否'")
        )
        return f"case when {yes} then true when {no} then false end"
    number = f"try_cast({field} as double)"
    exact = "" if fact.type == "number" else f" and {number} = round({number}, {DIGITS[fact.type]})"
    fits = f"length({field}) <= {_MOST_DIGITS} and isfinite({number}){exact}"
    return f"case when {fits} then cast({number} as {_TYPES[fact.type]}) end"


class _RowGrader:
    """Rows that SQL leaves to be looked at singly: what is wrong with them, or why they are
    unrated.
    """

    def __init__(
        self,
        book: Rulebook,
        columns: Mapping[str, Fact],
        unknown_columns: list[str],
        facts: Mapping[str, Fact],
        lang: str,
    ) -> None:
        self.book = book
        self.columns = columns
        self.unknown_columns = unknown_columns
        self.lang = lang
        self.is_chinese = lang == "zh-CN"
        self.close_matches = {
            name: next(iter(difflib.get_close_matches(name, list(facts), 1, 0.75)), "")
            for name in unknown_columns
        }
        self.missing_by_fields: dict[tuple, str] = {}

    def grade(self, row: Mapping[str, str]) -> list[str]:
        """class, clauses, missing, error."""
        wrong = []
        read = {}
        for name in self.unknown_columns:
            if row[name].strip():
                wrong.append(self._unknown(name))
        for name, fact in self.columns.items():
            try:
                read[name] = fact.read(row[name])
            except FactError as error:
                wrong.append(error.text(self.lang))
        if wrong:
            return ["", "", "", ("；" if self.is_chinese else "; ").join(wrong)]
        decision = self.book.classify(read)
        return [decision.code, SEPARATOR.join(decision.clauses), ", ".join(decision.missing), ""]

    def missing(self, fields: tuple[str, ...]) -> str:
        """The facts that leave a row of plain fields unrated."""
        if fields not in self.missing_by_fields:
            read = {
                name: fact.read(value)
                for (name, fact), value in zip(self.columns.items(), fields, strict=True)
            }
            self.missing_by_fields[fields] = ", ".join(self.book.missing(self.book.env(read)))
        return self.missing_by_fields[fields]

    def _unknown(self, name: str) -> str:
        near = self.close_matches[name]
        if self.is_chinese:
            return f"没有事实 {name}" + (f"；是否应为 {near}？" if near else "")
        return f"unknown fact {name}" + (f"; did you mean {near}?" if near else "")


def _lines(rows: pa.Table, which: np.ndarray, names: list[str]) -> Iterator[tuple[str, ...]]:
    """The fields of the chosen rows as they are written."""
    chosen = rows.select(names).filter(pa.array(which))
    columns = [chosen[name].to_pylist() for name in names]
    return zip(*columns, strict=True) if columns else iter([()] * int(which.sum()))


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
