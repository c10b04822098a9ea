"""Files or database tables → relations with file, line and problem beside the delivered columns."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from data.contract.schema import DATE_TYPES, Table
from data.contract.tables import EVENT_DATE, sql_literal
from data.errors import UserError
from data.ingest.delivery import Delivery
from data.ingest.encodings import decide_encodings, probe_encoding
from data.ingest.files import (
    FileFormat,
    Progress,
    StagedFile,
    quoted_name,
    require_same_schema,
    stage_csv,
    stage_parquet,
)
from data.loading.casting import check_family
from data.loading.control_totals import check_totals, trailer_totals
from data.loading.keys.duplicates import resolve_duplicates
from data.loading.plan import LoadPlan
from data.loading.reconciliation import LoadCounts
from data.loading.validation import RowValidator, StagedTable

TEXT_SUFFIXES = (".csv", ".asc", ".txt", ".tsv")
# Types of text columns in which full-width characters and outer spaces are counted.
_NUMBER_TYPES = ("money", "rate", "int", "number")
_CLEANED_TYPES = ("key", *_NUMBER_TYPES, "date", "month")
_WRAPPED_TYPES = (*_CLEANED_TYPES, "time", "id_number", "phone")
_INTEGERS = (
    "tinyint",
    "smallint",
    "integer",
    "bigint",
    "hugeint",
    "utinyint",
    "usmallint",
    "uinteger",
    "ubigint",
)
_FAMILIES = {"varchar": "text", "double": "float", "float": "float", "boolean": "bool"}


class Staging:
    """Makes a relation of every delivered table.

    Attributes
    ----------
    files
        Counts by raw file of a mapped source.
    skipped, notes, trailers
        By table: rows by note code, remarks, and control totals of trailer lines.
    """

    def __init__(
        self, validator: RowValidator, plan: LoadPlan, work: Path, progress: Progress
    ) -> None:
        self.validator = validator
        self.plan = plan
        self.source = plan.source
        self.work = work
        self.progress = progress
        self.files: dict[str, LoadCounts] = {}
        self.skipped: dict[str, dict[str, int]] = {}
        self.notes: dict[str, list[dict[str, Any]]] = {}
        self.trailers: dict[str, dict[str, str]] = {}

    def run(self) -> dict[str, StagedTable]:
        """Return the delivered tables by name, in the order of the contract."""
        if self.plan.delivery:
            staged = self._from_files(self.plan.delivery)
        else:
            staged = self._from_database(self.plan.address or "")
        tables = self._map_files(staged) if self.source.files else self._contract_tables(staged)
        return {name: tables[name] for name in self.plan.contract.tables if name in tables}

    def _declared_tables(self) -> Mapping[str, Table]:
        """Return the tables of the files: the source's if it declares any, else the contract's."""
        if self.source.files:
            return {key: file.table for key, file in self.source.files.items()}
        return self.plan.contract.tables

    def _from_files(self, delivery: Delivery) -> dict[str, list[StagedFile]]:
        tables = self._declared_tables()
        texts = [
            path
            for paths in delivery.files.values()
            for path in paths
            if path.suffix in TEXT_SUFFIXES
        ]
        declared = self.plan.overrides.encoding or self.source.encoding
        encodings = decide_encodings([probe_encoding(path) for path in texts], declared)
        staged: dict[str, list[StagedFile]] = {}
        for name, paths in delivery.files.items():
            started = time.monotonic()
            expected = delivery.declared(name)
            file_format = self._file_format(name, tables[name], expected)
            parts = [self._stage(name, path, file_format, encodings) for path in paths]
            staged[name] = parts
            require_same_schema(parts)
            _check_rows(name, parts, expected)
            if any(not part.native for part in parts):
                rows = sum(part.rows for part in parts)
                self.progress(f"{name}: reading", rows, time.monotonic() - started)
        return staged

    def _file_format(self, name: str, table: Table, expected: Mapping[str, Any]) -> FileFormat:
        """Return how the files of a table are written; `expected` is what the manifest says."""
        file = self.source.files.get(name)
        declared = file or self.source
        row_counts = [expected, *expected.get("files", ())]
        return FileFormat(
            columns=tuple(table.columns),
            required=tuple(table.columns) if file else table.required_columns,
            delimiter=declared.delimiter,
            sheet=declared.sheet,
            header_row=declared.header_row,
            dates=frozenset(
                column.name for column in table.columns.values() if column.type in DATE_TYPES
            ),
            amounts=frozenset(
                column.name
                for column in table.columns.values()
                if column.type in ("money", "int", "number")
            ),
            may_be_empty=any(entry.get("rows") == 0 for entry in row_counts),
            titles={column.name: column.title for column in table.columns.values()},
        )

    def _stage(
        self,
        name: str,
        path: Path,
        file_format: FileFormat,
        encodings: Mapping[str, tuple[str, str | None]],
    ) -> StagedFile:
        if path.suffix == ".parquet":
            return stage_parquet(path, file_format)
        target = self.work / f"{name}-{len(list(self.work.iterdir()))}.parquet"
        if path.suffix == ".xlsx":
            from data.ingest.xlsx import stage_xlsx

            return stage_xlsx(path, file_format, target)
        encoding, note = encodings[path.name]
        part = stage_csv(path, file_format, encoding, target)
        if note:
            facts = {"file": path.name, "encoding": encoding}
            part.notes.append({"code": note, "count": 1, "facts": facts})
        return part

    def _from_database(self, address: str) -> dict[str, list[StagedFile]]:
        from data.ingest.postgres import DatabaseTable, stage_database

        tables = {}
        for name, table in self._declared_tables().items():
            file = self.source.files.get(name)
            tables[name] = DatabaseTable(
                name=Path(file.name).stem if file else name,
                declared=table,
                required=bool(file) or table.required,
            )
        staged = stage_database(address, tables, self.work, self.progress)
        return {name: [part] for name, part in staged.items()}

    def _relation(
        self, name: str, table: Table, parts: list[StagedFile], prefix: str
    ) -> StagedTable:
        """Create the view <prefix><name> over the files of a table."""
        families = parts[0].types
        for part in parts:
            for column, family in part.types.items():
                check_family(part.file, table.columns[column], family)
        selects = [_select(part, families) for part in parts]
        relation = f"{prefix}{name}"
        self.validator.session.run(
            f"create or replace view {relation} as {' union all by name '.join(selects)}",
            f"{name}: reading",
        )
        self._note_cleaned_rows(name, table, relation, parts)
        date = EVENT_DATE.get(name)
        is_native = all(part.native for part in parts)
        is_sorted = bool(date) and is_native and _is_sorted([part.path for part in parts], date)
        return StagedTable(table, relation, families, sum(part.rows for part in parts), is_sorted)

    def _note_cleaned_rows(
        self, name: str, table: Table, relation: str, parts: list[StagedFile]
    ) -> None:
        """Note how many rows have identifiers or numbers that are read otherwise than written."""
        columns = {
            column: table.columns[column].type
            for column, family in parts[0].types.items()
            if family == "text" and table.columns[column].type in _WRAPPED_TYPES
        }
        if not columns:
            return
        is_native = all(part.native for part in parts)
        cleaned, numbers = (
            [f'"{name}"' for name, kind in columns.items() if kind in kinds and not is_native]
            for kinds in (_CLEANED_TYPES, _NUMBER_TYPES)
        )
        changes = {
            "cleaned_keys": [f"{name} <> clean({name})" for name in cleaned],
            "spreadsheet_wrapper": [f'is_wrapped("{name}")' for name in columns],
            "exponent": [f"has_exponent({name})" for name in numbers],
        }
        counts = ", ".join(
            f"count(*) filter ({' or '.join(conditions) or 'false'})"
            for conditions in changes.values()
        )
        row = self.validator.one(f"select {counts} from {relation}", f"{name}: spelling")
        for code, count in zip(changes, row, strict=True):
            if count:
                parts[0].notes.append({"code": code, "count": count})

    def _contract_tables(self, staged: Mapping[str, list[StagedFile]]) -> dict[str, StagedTable]:
        tables = {}
        for name, parts in staged.items():
            table = self.plan.contract.tables[name]
            tables[name] = self._relation(name, table, parts, "delivered_")
            self.skipped[name] = _skipped(parts)
            self.notes[name] = [note for part in parts for note in part.notes]
            trailers = [part.trailer for part in parts if part.trailer]
            if trailers and len(trailers) == len(parts):
                self.trailers[name] = trailer_totals(trailers, table)
        return tables

    def _map_files(self, staged: Mapping[str, list[StagedFile]]) -> dict[str, StagedTable]:
        """Validate raw files by their own columns; each .sql of the source returns one table."""
        for name, parts in staged.items():
            self._validate_file(name, parts)
        return {name: self._map(name, path) for name, path in self.source.mappings.items()}

    def _validate_file(self, name: str, parts: list[StagedFile]) -> None:
        """Create the view raw_<name> of the valid rows of a raw file and count it."""
        raw = self._relation(name, self.source.files[name].table, parts, "file_")
        counts = LoadCounts(raw.table.name, read=raw.rows)
        self.files[name] = counts
        validator = replace(self.validator, counts_by_table={raw.table.name: counts})
        valid_rows = validator.cast_rows(raw, linked=False)
        if raw.table.key:
            resolve_duplicates(validator, raw, valid_rows, linked=False)
        columns = ", ".join(f'v_{column} as "{column}"' for column in raw.table.columns)
        validator.run(
            f"create or replace view raw_{name} as select file, line, {columns} from {valid_rows}",
            name,
        )
        skipped = _skipped(parts)
        counts.loaded = validator.count(f"raw_{name}", name)
        counts.skipped = {**skipped, **counts.skipped}
        counts.read = raw.rows + sum(skipped.values())
        counts.notes += [note for part in parts for note in part.notes]
        expected = trailer_totals([part.trailer for part in parts], raw.table)
        if expected:
            sums = ", ".join(f'sum("{column}")' for column in expected)
            totals = validator.one(f"select {sums} from raw_{name}", name)
            amounts = (total or Decimal(0) for total in totals)
            check_totals(name, dict(zip(expected, amounts, strict=True)), expected)

    def _map(self, name: str, path: Path) -> StagedTable:
        """Run a source's mapping and check the columns of its result."""
        validator = self.validator
        table = self.plan.contract.tables[name]
        query = path.read_text(encoding="utf-8").rstrip().rstrip(";")
        validator.run(f"create or replace table mapped_{name} as {query}", path.name)
        columns = validator.session.table(f"describe mapped_{name}", path.name).to_pylist()
        types = {row["column_name"]: row["column_type"].lower() for row in columns}
        if unknown := sorted(set(types) - set(table.columns) - {"file", "line"}):
            raise UserError("mapping", file=path.name, error=f"column {unknown[0]}")
        for column in (*table.required_columns, "file", "line"):
            if column not in types:
                raise UserError("mapping", file=path.name, error=f"lacks {column}")
        families = {
            column: _family(kind) for column, kind in types.items() if column in table.columns
        }
        for column, family in families.items():
            check_family(path.name, table.columns[column], family)
        relation = f"delivered_{name}"
        validator.run(
            f"create or replace view {relation} as "
            f"select *, null::varchar as problem from mapped_{name}",
            path.name,
        )
        return StagedTable(table, relation, families, validator.count(relation, name))


def _check_rows(name: str, parts: list[StagedFile], expected: Mapping[str, Any]) -> None:
    """Raise UserError when a file or table has another number of rows than the manifest says."""
    rows_by_file = {entry["name"]: entry.get("rows") for entry in expected.get("files", ())}
    for part in parts:
        want = rows_by_file.get(part.file)
        if want is not None and want != part.rows:
            raise UserError("rows_differ", file=part.file, got=part.rows, want=want)
    rows = sum(part.rows for part in parts)
    want = expected.get("rows")
    if want is not None and want != rows:
        raise UserError("rows_differ", file=name, got=rows, want=want)


def _skipped(parts: list[StagedFile]) -> dict[str, int]:
    """Return the rows that the readers skipped, by note code."""
    counts: dict[str, int] = {}
    for part in parts:
        for code, count in part.skipped.items():
            counts[code] = counts.get(code, 0) + count
    return counts


def _select(part: StagedFile, families: Mapping[str, str]) -> str:
    names = ", ".join(
        f'{quoted_name(part.stored_names.get(column, column))} as "{column}"' for column in families
    )
    file = sql_literal(part.file)
    path = sql_literal(str(part.path.resolve()))
    if part.native:
        return (
            f"select {file} as file, file_row_number + 1 as line, null::varchar as problem, "
            f"{names} from read_parquet({path}, file_row_number = true)"
        )
    return f"select {file} as file, line, problem, {names} from read_parquet({path})"


def _family(kind: str) -> str:
    """Return the type family of one of DuckDB's type names."""
    if kind.startswith(("decimal", "timestamp with")):
        return kind.replace(" ", "") if kind.startswith("decimal") else "timestamptz"
    if kind.startswith("enum"):
        return "text"
    if kind in _INTEGERS:
        return "int"
    return _FAMILIES.get(kind, kind)


def _is_sorted(paths: list[Path], column: str) -> bool:
    """Return whether the row groups, in order, do not go back in time.

    Then the rows of a month lie together as they are.
    """
    highest = None
    for path in paths:
        with pq.ParquetFile(path) as file:
            index = file.schema_arrow.get_field_index(column)
            for group in range(file.metadata.num_row_groups):
                statistics = file.metadata.row_group(group).column(index).statistics
                if statistics is None or not statistics.has_min_max:
                    return False
                if highest is not None and statistics.min < highest:
                    return False
                highest = statistics.max
    return True
