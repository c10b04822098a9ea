"""Files or database tables → relations with file, line and problem beside the delivered columns."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from decimal import Decimal, InvalidOperation
from pathlib import Path

import pyarrow.parquet as pq

from data.contract.schema import Table
from data.contract.tables import EVENT_DATE, sql_literal
from data.errors import UserError
from data.ingest.delivery import Delivery
from data.ingest.encodings import decide_encodings, probe_encoding
from data.ingest.files import FileFormat, StagedFile, require_same_schema, stage_csv, stage_parquet
from data.ingest.source import Source
from data.loading.casting import check_family
from data.loading.duplicates import resolve_duplicates
from data.loading.reconciliation import LoadCounts, check_totals
from data.loading.validation import RowValidator, StagedTable

TEXT_SUFFIXES = (".csv", ".asc", ".txt", ".tsv")


class Staging:
    """Brings every table of a delivery to where the validator can judge it. What it counts: files, skipped, notes,
    trailers."""

    def __init__(
        self,
        validator: RowValidator,
        source: Source,
        delivery: Delivery | None,
        address: str | None,
        work: Path,
        encoding: str | None,
        progress: Callable[[str, int, float], None],
    ):
        self.validator, self.source, self.delivery, self.address = (
            validator,
            source,
            delivery,
            address,
        )
        self.work, self.encoding, self.progress = work, encoding or source.encoding, progress
        self.files: dict[str, LoadCounts] = {}
        self.skipped: dict[str, dict[str, int]] = {}
        self.notes: dict[str, list[dict]] = {}
        self.trailers: dict[str, dict[str, str]] = {}

    def run(self) -> dict[str, StagedTable]:
        """The delivered relations by table, in the order of the contract."""
        staged = self._from_database() if self.address else self._from_files()
        tables = self._mapped(staged) if self.source.files else self._plain(staged)
        return {name: tables[name] for name in self.validator.contract.tables if name in tables}

    def _tables(self) -> Mapping[str, Table]:
        if self.source.files:
            return {key: file.table for key, file in self.source.files.items()}
        return self.validator.contract.tables

    def _from_files(self) -> dict[str, list[StagedFile]]:
        tables = self._tables()
        texts = [
            path
            for paths in self.delivery.files.values()
            for path in paths
            if path.suffix in TEXT_SUFFIXES
        ]
        encodings = decide_encodings([probe_encoding(path) for path in texts], self.encoding)
        staged: dict[str, list[StagedFile]] = {}
        for name, paths in self.delivery.files.items():
            started = time.monotonic()
            staged[name] = [self._stage(name, tables[name], path, encodings) for path in paths]
            require_same_schema(staged[name])
            self._check_rows(name, staged[name])
            if any(not part.native for part in staged[name]):
                self.progress(
                    f"{name}: reading",
                    sum(part.rows for part in staged[name]),
                    time.monotonic() - started,
                )
        return staged

    def _stage(self, name: str, table: Table, path: Path, encodings: Mapping) -> StagedFile:
        file = self.source.files.get(name)
        promised = self.delivery.promised(name)
        layout = FileFormat(
            columns=tuple(table.columns),
            required=tuple(table.columns) if file else table.required_columns,
            delimiter=file.delimiter if file else self.source.delimiter,
            sheet=file.sheet if file else self.source.sheet,
            header_row=file.header_row if file else self.source.header_row,
            dates=frozenset(
                c.name for c in table.columns.values() if c.type in ("date", "month", "time")
            ),
            may_be_empty=promised.get("rows") == 0
            or any(e.get("rows") == 0 for e in promised.get("files", ())),
        )
        target = self.work / f"{name}-{len(list(self.work.iterdir()))}.parquet"
        if path.suffix == ".parquet":
            return stage_parquet(path, layout)
        if path.suffix == ".xlsx":
            from data.ingest.xlsx import stage_xlsx

            return stage_xlsx(path, layout, target)
        encoding, note = encodings[path.name]
        part = stage_csv(path, layout, encoding, target)
        if note:
            part.notes.append(
                {"code": note, "count": 1, "facts": {"file": path.name, "encoding": encoding}}
            )
        return part

    def _check_rows(self, name: str, parts: list[StagedFile]) -> None:
        promised = {
            entry["name"]: entry.get("rows")
            for entry in self.delivery.promised(name).get("files", ())
        }
        for part in parts:
            want = promised.get(part.file)
            if want is not None and want != part.rows:
                raise UserError("rows_differ", file=part.file, got=part.rows, want=want)
        whole = self.delivery.promised(name).get("rows")
        if whole is not None and whole != sum(part.rows for part in parts):
            raise UserError(
                "rows_differ", file=name, got=sum(part.rows for part in parts), want=whole
            )

    def _from_database(self) -> dict[str, list[StagedFile]]:
        from data.ingest.postgres import stage_database

        wanted = {}
        for name, table in self._tables().items():
            file = self.source.files.get(name)
            wanted[name] = (
                Path(file.name).stem if file else name,
                table,
                bool(file) or table.required,
            )
        staged = stage_database(self.address, wanted, self.work, self.progress)
        return {name: [part] for name, part in staged.items()}

    def _relation(
        self, name: str, table: Table, parts: list[StagedFile], prefix: str
    ) -> StagedTable:
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
        self._count_cleaned(name, table, relation, parts)
        date = EVENT_DATE.get(name)
        is_sorted = (
            all(part.native for part in parts)
            and bool(date)
            and _is_sorted([p.path for p in parts], date)
        )
        return StagedTable(table, relation, families, sum(part.rows for part in parts), is_sorted)

    def _count_cleaned(
        self, name: str, table: Table, relation: str, parts: list[StagedFile]
    ) -> None:
        """Note how many rows of text files hold identifiers or numbers that are not written plainly."""
        plain = [
            column
            for column, family in parts[0].types.items()
            if family == "text"
            and table.columns[column].type
            in ("key", "money", "rate", "int", "number", "date", "month")
        ]
        if plain and not all(part.native for part in parts):
            unlike = " or ".join(f'"{column}" <> clean("{column}")' for column in plain)
            count = self.validator.one(
                f"select count(*) from {relation} where {unlike}", f"{name}: spelling"
            )[0]
            if count:
                parts[0].notes.append({"code": "cleaned_keys", "count": count})

    def _plain(self, staged: Mapping[str, list[StagedFile]]) -> dict[str, StagedTable]:
        tables = {}
        for name, parts in staged.items():
            tables[name] = self._relation(
                name, self.validator.contract.tables[name], parts, "delivered_"
            )
            self._gather(name, parts, self.skipped, self.notes)
            trailers = [part.trailer for part in parts if part.trailer]
            if trailers and len(trailers) == len(parts):
                self.trailers[name] = _control(trailers, self.validator.contract.tables[name])
        return tables

    @staticmethod
    def _gather(name: str, parts: list[StagedFile], skipped: dict, notes: dict) -> None:
        counts: dict[str, int] = {}
        for part in parts:
            for code, count in part.skipped.items():
                counts[code] = counts.get(code, 0) + count
        skipped[name] = counts
        notes[name] = [note for part in parts for note in part.notes]

    def _mapped(self, staged: Mapping[str, list[StagedFile]]) -> dict[str, StagedTable]:
        """Raw files are judged by their own declared columns, then each .sql of the source makes one contract
        table of them."""
        validator = self.validator
        for name, parts in staged.items():
            raw = self._relation(name, self.source.files[name].table, parts, "file_")
            skipped, notes = {}, {}
            self._gather(name, parts, skipped, notes)
            counts = self.files.setdefault(name, LoadCounts(raw.table.name, read=raw.rows))
            file_validator = replace(validator, counts_by_table={raw.table.name: counts})
            good = file_validator.cast_rows(raw, linked=False)
            if raw.table.key:
                resolve_duplicates(file_validator, raw, good, linked=False)
            keep = ", ".join(f'v_{column} as "{column}"' for column in raw.table.columns)
            validator.run(
                f"create or replace view raw_{name} as select file, line, {keep} from {good}", name
            )
            counts.loaded = validator.one(f"select count(*) from raw_{name}", name)[0]
            counts.skipped = {**skipped[name], **counts.skipped}
            counts.read = raw.rows + sum(skipped[name].values())
            counts.notes += notes[name]
            trailers = [part.trailer for part in parts if part.trailer]
            if trailers:
                columns = _control(trailers, raw.table)
                sums = ", ".join(f'sum("{column}")' for column in columns)
                got = validator.one(f"select {sums} from raw_{name}", name) if columns else ()
                check_totals(
                    name,
                    dict(zip(columns, (value or Decimal(0) for value in got), strict=True)),
                    columns,
                )
        tables = {}
        for name, path in self.source.mappings.items():
            tables[name] = self._map(name, path)
        return tables

    def _map(self, name: str, path: Path) -> StagedTable:
        validator, table = self.validator, self.validator.contract.tables[name]
        validator.run(
            f"create or replace table mapped_{name} as {path.read_text(encoding='utf-8').rstrip().rstrip(';')}",
            path.name,
        )
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
            f"create or replace view {relation} as select *, null::varchar as problem from mapped_{name}",
            path.name,
        )
        rows = validator.one(f"select count(*) from {relation}", name)[0]
        return StagedTable(table, relation, families, rows)


def _select(part: StagedFile, families: Mapping[str, str]) -> str:
    names = ", ".join(f'"{column}"' for column in families)
    path = sql_literal(str(part.path.resolve()))
    if part.native:
        return (
            f"select {sql_literal(part.file)} as file, file_row_number + 1 as line, null::varchar as problem, {names} "
            f"from read_parquet({path}, file_row_number = true)"
        )
    return (
        f"select {sql_literal(part.file)} as file, line, problem, {names} from read_parquet({path})"
    )


def _family(kind: str) -> str:
    """The type family of one of DuckDB's type names."""
    if kind.startswith(("decimal", "timestamp with")):
        return kind.replace(" ", "") if kind.startswith("decimal") else "timestamptz"
    if kind.startswith("enum"):
        return "text"
    if kind in (
        "tinyint",
        "smallint",
        "integer",
        "bigint",
        "hugeint",
        "utinyint",
        "usmallint",
        "uinteger",
        "ubigint",
    ):
        return "int"
    return {"varchar": "text", "double": "float", "float": "float", "boolean": "bool"}.get(
        kind, kind
    )


def _is_sorted(paths: list[Path], column: str) -> bool:
    """Whether the row groups, in order, do not run back in time: then a month's rows lie together as they are."""
    highest = None
    for path in paths:
        with pq.ParquetFile(path) as file:
            place = file.schema_arrow.get_field_index(column)
            for group in range(file.metadata.num_row_groups):
                found = file.metadata.row_group(group).column(place).statistics
                if (
                    found is None
                    or not found.has_min_max
                    or (highest is not None and found.min < highest)
                ):
                    return False
                highest = found.max
    return True


def _control(trailers: list[Mapping[str, str]], table: Table) -> dict[str, str]:
    """Sums of what the trailer lines say of money and number columns."""
    sums: dict[str, Decimal] = {}
    for trailer in trailers:
        for column, text in trailer.items():
            if table.columns[column].type in ("money", "number"):
                try:
                    sums[column] = sums.get(column, Decimal(0)) + Decimal(
                        (text or "").replace(",", "").strip()
                    )
                except InvalidOperation:
                    continue
    return {column: str(total) for column, total in sums.items()}
