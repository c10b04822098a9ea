"""Files or database tables → relations in the workshop, with file, line and problem beside the delivered columns."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from decimal import Decimal, InvalidOperation
from pathlib import Path

import pyarrow.parquet as pq

from data.contract.schema import Table
from data.contract.tables import EVENT_DATE, literal
from data.errors import UserError
from data.ingest.delivery import Delivery
from data.ingest.encodings import settle_encodings, sight
from data.ingest.files import Layout, Staged, same_schema, stage_csv, stage_parquet
from data.ingest.source import Source
from data.loading.casting import check_family
from data.loading.reconciliation import Tally, check_totals
from data.loading.validation import Delivered, Keeper

TEXT_SUFFIXES = (".csv", ".asc", ".txt", ".tsv")


class Staging:
    """Brings every table of a delivery to where the keeper can judge it. What it counts: files, skipped, notes,
    trailers."""

    def __init__(
        self,
        keeper: Keeper,
        source: Source,
        delivery: Delivery | None,
        address: str | None,
        work: Path,
        encoding: str | None,
        progress: Callable[[str, int, float], None],
    ):
        self.keeper, self.source, self.delivery, self.address = keeper, source, delivery, address
        self.work, self.encoding, self.progress = work, encoding or source.encoding, progress
        self.files: dict[str, Tally] = {}
        self.skipped: dict[str, dict[str, int]] = {}
        self.notes: dict[str, list[dict]] = {}
        self.trailers: dict[str, dict[str, str]] = {}

    def run(self) -> dict[str, Delivered]:
        """The delivered relations by table, in the order of the contract."""
        staged = self._from_database() if self.address else self._from_files()
        given = self._mapped(staged) if self.source.files else self._plain(staged)
        return {name: given[name] for name in self.keeper.contract.tables if name in given}

    def _tables(self) -> Mapping[str, Table]:
        if self.source.files:
            return {key: file.table for key, file in self.source.files.items()}
        return self.keeper.contract.tables

    def _from_files(self) -> dict[str, list[Staged]]:
        tables = self._tables()
        texts = [path for paths in self.delivery.files.values() for path in paths if path.suffix in TEXT_SUFFIXES]
        encodings = settle_encodings([sight(path) for path in texts], self.encoding)
        staged: dict[str, list[Staged]] = {}
        for name, paths in self.delivery.files.items():
            started = time.monotonic()
            staged[name] = [self._stage(name, tables[name], path, encodings) for path in paths]
            same_schema(staged[name])
            self._check_rows(name, staged[name])
            if any(not part.native for part in staged[name]):
                self.progress(f"{name}: reading", sum(part.rows for part in staged[name]), time.monotonic() - started)
        return staged

    def _stage(self, name: str, table: Table, path: Path, encodings: Mapping) -> Staged:
        file = self.source.files.get(name)
        promised = self.delivery.promised(name)
        layout = Layout(
            columns=tuple(table.columns),
            needed=tuple(table.columns) if file else table.required_columns,
            delimiter=file.delimiter if file else self.source.delimiter,
            sheet=file.sheet if file else self.source.sheet,
            header_row=file.header_row if file else self.source.header_row,
            dates=frozenset(c.name for c in table.columns.values() if c.type in ("date", "month", "time")),
            may_be_empty=promised.get("rows") == 0 or any(e.get("rows") == 0 for e in promised.get("files", ())),
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
            part.notes.append({"code": note, "count": 1, "facts": {"file": path.name, "encoding": encoding}})
        return part

    def _check_rows(self, name: str, parts: list[Staged]) -> None:
        promised = {entry["name"]: entry.get("rows") for entry in self.delivery.promised(name).get("files", ())}
        for part in parts:
            want = promised.get(part.file)
            if want is not None and want != part.rows:
                raise UserError("rows_differ", file=part.file, got=part.rows, want=want)
        whole = self.delivery.promised(name).get("rows")
        if whole is not None and whole != sum(part.rows for part in parts):
            raise UserError("rows_differ", file=name, got=sum(part.rows for part in parts), want=whole)

    def _from_database(self) -> dict[str, list[Staged]]:
        from data.ingest.postgres import stage_database

        wanted = {}
        for name, table in self._tables().items():
            file = self.source.files.get(name)
            wanted[name] = (Path(file.name).stem if file else name, table, bool(file) or table.required)
        staged = stage_database(self.address, wanted, self.work, self.progress)
        return {name: [part] for name, part in staged.items()}

    def _relation(self, name: str, table: Table, parts: list[Staged], prefix: str) -> Delivered:
        families = parts[0].types
        for part in parts:
            for column, family in part.types.items():
                check_family(part.file, table.columns[column], family)
        selects = [_select(part, families) for part in parts]
        relation = f"{prefix}{name}"
        self.keeper.shop.run(
            f"create or replace view {relation} as {' union all by name '.join(selects)}", f"{name}: reading"
        )
        self._count_cleaned(name, table, relation, parts)
        date = EVENT_DATE.get(name)
        is_sorted = all(part.native for part in parts) and bool(date) and _is_sorted([p.path for p in parts], date)
        return Delivered(table, relation, families, sum(part.rows for part in parts), is_sorted)

    def _count_cleaned(self, name: str, table: Table, relation: str, parts: list[Staged]) -> None:
        """Note how many rows of text files hold identifiers or numbers that are not written plainly."""
        plain = [
            column
            for column, family in parts[0].types.items()
            if family == "text"
            and table.columns[column].type in ("key", "money", "rate", "int", "number", "date", "month")
        ]
        if plain and not all(part.native for part in parts):
            unlike = " or ".join(f'"{column}" <> clean("{column}")' for column in plain)
            count = self.keeper.one(f"select count(*) from {relation} where {unlike}", f"{name}: spelling")[0]
            if count:
                parts[0].notes.append({"code": "cleaned_keys", "count": count})

    def _plain(self, staged: Mapping[str, list[Staged]]) -> dict[str, Delivered]:
        given = {}
        for name, parts in staged.items():
            given[name] = self._relation(name, self.keeper.contract.tables[name], parts, "delivered_")
            self._gather(name, parts, self.skipped, self.notes)
            trailers = [part.trailer for part in parts if part.trailer]
            if trailers and len(trailers) == len(parts):
                self.trailers[name] = _control(trailers, self.keeper.contract.tables[name])
        return given

    @staticmethod
    def _gather(name: str, parts: list[Staged], skipped: dict, notes: dict) -> None:
        counts: dict[str, int] = {}
        for part in parts:
            for code, count in part.skipped.items():
                counts[code] = counts.get(code, 0) + count
        skipped[name] = counts
        notes[name] = [note for part in parts for note in part.notes]

    def _mapped(self, staged: Mapping[str, list[Staged]]) -> dict[str, Delivered]:
        """Raw files are judged by their own declared columns, then each .sql of the source makes one contract
        table of them."""
        keeper = self.keeper
        for name, parts in staged.items():
            raw = self._relation(name, self.source.files[name].table, parts, "file_")
            skipped, notes = {}, {}
            self._gather(name, parts, skipped, notes)
            tally = self.files.setdefault(name, Tally(raw.table.name, read=raw.rows))
            tallies, keeper.tallies = keeper.tallies, {raw.table.name: tally}
            good = keeper.stage(raw, linked=False)
            keeper.tallies = tallies
            if raw.table.key:
                keeper.single(raw, good, tally, linked=False)
            keep = ", ".join(f'v_{column} as "{column}"' for column in raw.table.columns)
            keeper.run(f"create or replace view raw_{name} as select file, line, {keep} from {good}", name)
            tally.loaded = keeper.one(f"select count(*) from raw_{name}", name)[0]
            tally.skipped = {**skipped[name], **tally.skipped}
            tally.read = raw.rows + sum(skipped[name].values())
            tally.notes += notes[name]
            trailers = [part.trailer for part in parts if part.trailer]
            if trailers:
                columns = _control(trailers, raw.table)
                sums = ", ".join(f'sum("{column}")' for column in columns)
                got = keeper.one(f"select {sums} from raw_{name}", name) if columns else ()
                check_totals(name, dict(zip(columns, (value or Decimal(0) for value in got), strict=True)), columns)
        given = {}
        for name, path in self.source.mappings.items():
            given[name] = self._map(name, path)
        return given

    def _map(self, name: str, path: Path) -> Delivered:
        keeper, table = self.keeper, self.keeper.contract.tables[name]
        keeper.run(
            f"create or replace table mapped_{name} as {path.read_text(encoding='utf-8').rstrip().rstrip(';')}",
            path.name,
        )
        columns = keeper.shop.table(f"describe mapped_{name}", path.name).to_pylist()
        types = {row["column_name"]: row["column_type"].lower() for row in columns}
        if unknown := sorted(set(types) - set(table.columns) - {"file", "line"}):
            raise UserError("mapping", file=path.name, error=f"column {unknown[0]}")
        for column in (*table.required_columns, "file", "line"):
            if column not in types:
                raise UserError("mapping", file=path.name, error=f"lacks {column}")
        families = {column: _family(kind) for column, kind in types.items() if column in table.columns}
        for column, family in families.items():
            check_family(path.name, table.columns[column], family)
        relation = f"delivered_{name}"
        keeper.run(
            f"create or replace view {relation} as select *, null::varchar as problem from mapped_{name}",
            path.name,
        )
        rows = keeper.one(f"select count(*) from {relation}", name)[0]
        return Delivered(table, relation, families, rows)


def _select(part: Staged, families: Mapping[str, str]) -> str:
    names = ", ".join(f'"{column}"' for column in families)
    path = literal(str(part.path.resolve()))
    if part.native:
        return (
            f"select {literal(part.file)} as file, file_row_number + 1 as line, null::varchar as problem, {names} "
            f"from read_parquet({path}, file_row_number = true)"
        )
    return f"select {literal(part.file)} as file, line, problem, {names} from read_parquet({path})"


def _family(kind: str) -> str:
    """The type family of one of DuckDB's type names."""
    if kind.startswith(("decimal", "timestamp with")):
        return kind.replace(" ", "") if kind.startswith("decimal") else "timestamptz"
    if kind.startswith("enum"):
        return "text"
    if kind in ("tinyint", "smallint", "integer", "bigint", "hugeint", "utinyint", "usmallint", "uinteger", "ubigint"):
        return "int"
    return {"varchar": "text", "double": "float", "float": "float", "boolean": "bool"}.get(kind, kind)


def _is_sorted(paths: list[Path], column: str) -> bool:
    """Whether the row groups, in order, do not run back in time: then a month's rows lie together as they are."""
    highest = None
    for path in paths:
        with pq.ParquetFile(path) as file:
            place = file.schema_arrow.get_field_index(column)
            for group in range(file.metadata.num_row_groups):
                found = file.metadata.row_group(group).column(place).statistics
                if found is None or not found.has_min_max or (highest is not None and found.min < highest):
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
                    sums[column] = sums.get(column, Decimal(0)) + Decimal((text or "").replace(",", "").strip())
                except InvalidOperation:
                    continue
    return {column: str(total) for column, total in sums.items()}
