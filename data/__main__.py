"""python -m data contract | demo | load | check | editions"""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import re
import sys
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, TextIO

import click

from data.command_line import Command, run
from data.contract.description import describe
from data.contract.schema import read_contract
from data.dates import is_month_end
from data.editions import store
from data.editions.manifest import Edition
from data.editions.memory import retain_freed_memory
from data.errors import InvalidRequest, UserError
from data.ingest.encodings import ENCODINGS
from data.ingest.source import source_names
from data.loading.book_check import HeldDelivery
from data.loading.pipeline import dry_run, load
from data.loading.plan import Overrides, SameDelivery
from data.messages import note

PROGRAM = "python -m data"
# What the option --language takes, and the code of the language.
_LANGUAGES = {"zh": "zh-CN", "en": "en"}
_MEMORY = re.compile(r"[0-9]+(\.[0-9]+)? ?([KMGT]i?B|%)", re.IGNORECASE)


def _month_end(
    _context: click.Context, _option: click.Parameter, text: str | None
) -> dt.date | None:
    """Return the month end that an option names."""
    if text is None:
        return None
    try:
        day = dt.date.fromisoformat(text)
    except ValueError:
        raise InvalidRequest("not_a_date_option", value=text) from None
    if not is_month_end(day):
        raise InvalidRequest("not_a_month_end_option", value=text)
    return day


def _limits(
    _context: click.Context, _option: click.Parameter, texts: Sequence[str]
) -> dict[str, float]:
    """Return the shares of the options NAME=SHARE."""
    return dict(_limit(text) for text in texts)


def _limit(text: str) -> tuple[str, float]:
    name, _, share = text.partition("=")
    try:
        limit = float(share)
    except ValueError:
        limit = -1.0
    if not limit >= 0:
        raise InvalidRequest("limit_syntax", value=text)
    return name, limit


def _memory(_context: click.Context, _option: click.Parameter, text: str | None) -> str | None:
    if text is not None and not _MEMORY.fullmatch(text):
        raise InvalidRequest("memory_syntax", value=text)
    return text


def _threads(_context: click.Context, _option: click.Parameter, text: str | None) -> int | None:
    if text is None:
        return None
    if not text.isdecimal() or int(text) < 1:
        raise InvalidRequest("not_a_positive_number", value=text)
    return int(text)


def _folder(_context: click.Context, _option: click.Parameter, path: Path) -> Path:
    if path.is_file():
        raise InvalidRequest("not_a_folder", value=path)
    return path


_PATH = click.Path(path_type=Path)
_HOME = click.option(
    "--home", type=_PATH, default=Path(".bank/home"), envvar="LOAN_PANORAMA_HOME", callback=_folder
)
_AS_OF = click.option("--as-of", callback=_month_end, metavar="DATE", help="month end, YYYY-MM-DD")


def _delivery_options(function: Callable) -> Callable:
    """Add the argument and the options that `load` and `check` share."""
    encodings = click.Choice(ENCODINGS, case_sensitive=False)
    options = (
        click.argument("delivery"),
        click.option("--source", default="contract", help=" | ".join(source_names())),
        _HOME,
        _AS_OF,
        click.option("--kind", type=click.Choice(("full", "increment"))),
        click.option("--encoding", type=encodings),
        click.option("--limit", multiple=True, callback=_limits, metavar="NAME=SHARE"),
        click.option(
            "--accept-volume",
            metavar="NAME",
            help="放行量的变化的人 / who accepts the change of volume",
        ),
        click.option(
            "--accept",
            metavar="NAME",
            help="核对后放行全部暂停事项的人 / who lets pass all that holds the delivery",
        ),
        click.option("--report", type=click.Choice(("text", "json")), default="text"),
        click.option("--memory", callback=_memory, help="4GB | 60%"),
        click.option("--threads", callback=_threads),
    )
    for option in reversed(options):
        function = option(function)
    return function


@click.group(help="数据：合同、演示数据、加载、版本 / data in", no_args_is_help=False)
def commands() -> None:
    """Group the commands of `python -m data`."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code.

    0 for success, 1 for a delivery that is rejected or a disk that fails, 2 for an invalid request.
    """
    try:
        return run(commands, argv, PROGRAM)
    except SameDelivery as error:
        print(error)
        return 0
    except UserError as error:
        if isinstance(error, HeldDelivery):
            counts = {name: table.to_json() for name, table in error.tables.items()}
            _print_notes(counts, sys.stderr)
        print(error, file=sys.stderr)
        for line in error.rejected.lines() if error.rejected else ():
            print(f"  {line}", file=sys.stderr)
        return 2 if isinstance(error, InvalidRequest) else 1
    except KeyboardInterrupt:
        print("已中断，未发布 / interrupted, nothing was published", file=sys.stderr)
        return 1


@commands.command(cls=Command, name="contract", help="打印数据合同 / print the contract")
@click.option("--language", type=click.Choice(tuple(_LANGUAGES)), default="zh")
def _contract(language: str) -> None:
    print(describe(read_contract(), _LANGUAGES[language]))


@commands.command(
    cls=Command, name="demo", help="写出虚构银行的交付 / write the delivery of an invented bank"
)
@click.option("--customers", type=int, default=20_000)
@click.option("--months", type=int, default=36)
@click.option("--seed", type=int, default=7)
@_AS_OF
@click.option("--format", type=click.Choice(("parquet", "csv")), default="parquet")
@click.option("--next", is_flag=True, help="下一个月的增量 / the increment of the month after")
@click.option("--to", required=True, type=_PATH, callback=_folder)
def _demo(
    customers: int, months: int, seed: int, as_of: dt.date | None, format: str, next: bool, to: Path
) -> None:
    from data import demo

    started = time.monotonic()
    write = demo.write_next if next else demo.write
    try:
        manifest = write(to, customers, months, seed, as_of or demo.DEFAULT_AS_OF, format)
    except ValueError as error:
        raise InvalidRequest("demo_options", error=error) from error
    except OSError as error:
        raise UserError("output_not_writable", path=to, error=error.strerror) from error
    rows = sum(table["rows"] for table in manifest["tables"].values())
    print(f"{to}: {rows:,} 行 / rows, {time.monotonic() - started:.1f} s", file=sys.stderr)


def _progress(step: str, rows: int, seconds: float) -> None:
    # One write, since two threads may report at the same time.
    print(f"  {step:<28}{rows:>14,}{seconds:>9.1f} s\n", end="", file=sys.stderr, flush=True)


@commands.command(
    cls=Command, name="load", help="检查并发布一份交付 / check and publish a delivery"
)
@_delivery_options
def _load(
    delivery: str,
    source: str,
    home: Path,
    limit: dict[str, float],
    accept_volume: str | None,
    accept: str | None,
    encoding: str | None,
    report: str,
    **options: Any,
) -> None:
    from analytics.marts.build import build

    retain_freed_memory()
    started = time.monotonic()
    with _failure_as_json(report):
        edition = load(
            delivery,
            source,
            home,
            build_marts=build,
            overrides=Overrides(limit, accept, encoding, accept_volume),
            progress=_progress,
            **options,
        )
    _report(edition, report, time.monotonic() - started)


@contextlib.contextmanager
def _failure_as_json(form: str) -> Generator[None]:
    """Print a refusal as JSON on stdout as well, when that is the form of the report."""
    try:
        yield
    except UserError as error:
        if form == "json":
            body = {
                "error": error.code,
                "message": {language: error.text(language) for language in _LANGUAGES.values()},
                "rejected": error.rejected.to_json() if error.rejected else None,
            }
            print(json.dumps(body, ensure_ascii=False, indent=1))
        raise


def _report(edition: Edition, form: str, seconds: float) -> None:
    facts = edition.facts
    if form == "json":
        body = {
            "edition": edition.id,
            "kind": edition.kind,
            "source": edition.source,
            "as_of": str(edition.as_of),
            "seconds": round(seconds, 1),
            "tables": facts["tables"],
            "files": facts["files"],
        }
        print(json.dumps(body, ensure_ascii=False, indent=1))
        return
    print(f"{'':<18}{'读入 read':>12}{'载入 loaded':>13}{'拒绝 rejected':>13}{'跳过 skipped':>13}")
    for name, counts in [*facts["files"].items(), *facts["tables"].items()]:
        numbers = (counts[key] for key in ("read", "loaded", "rejected", "skipped"))
        print(f"{name:<18}" + "".join(f"{number:>14,}" for number in numbers))
    _print_notes(facts["tables"], sys.stdout)
    print(f"版本 edition {edition.id}，截止 as of {edition.as_of}，{seconds:.1f} s")


def _print_notes(tables: Mapping[str, Mapping[str, Any]], stream: TextIO) -> None:
    """Print every remark about the delivered tables: number, sum, first places, who let it pass."""
    for name, counts in tables.items():
        for remark in counts["notes"]:
            facts = remark.get("facts", {})
            details = [*facts.get("places", []), *filter(None, [facts.get("column")])]
            if "balance" in facts:
                details.insert(0, f"CNY {Decimal(facts['balance']):,.2f}")
            if facts.get("accepted_by"):
                details.append(f"放行人 let pass by {facts['accepted_by']}")
            tail = f" [{'; '.join(details)}]" if details else ""
            print(f"{name:<18}{remark['count']:>12,}  {note(remark['code'])}{tail}", file=stream)


@commands.command(cls=Command, name="check", help="只检查，不发布 / check only, publish nothing")
@_delivery_options
def _check(
    delivery: str,
    source: str,
    home: Path,
    as_of: dt.date | None,
    kind: str | None,
    limit: dict[str, float],
    accept_volume: str | None,
    accept: str | None,
    encoding: str | None,
    report: str,
    **_unused: Any,
) -> None:
    retain_freed_memory()
    with _failure_as_json(report):
        facts = dry_run(
            delivery,
            source,
            home,
            as_of=as_of,
            kind=kind,
            overrides=Overrides(limit, accept, encoding, accept_volume),
            progress=_progress,
        )
    if report == "json":
        body = {name: facts[name] for name in ("tables", "files", "rejected")}
        print(json.dumps(body, ensure_ascii=False, indent=1))
        return
    _print_notes(facts["tables"], sys.stdout)
    if rejected := facts["rejected"]:
        print(f"{rejected['count']:,} 行被拒绝 / rows refused: {rejected['path']}")
    print("可以加载 / fit to be loaded")


@commands.command(cls=Command, name="editions", help="列出或回退版本 / list or roll back editions")
@_HOME
@click.option("--rollback", metavar="ID")
def _editions(home: Path, rollback: str | None) -> None:
    if rollback:
        edition = store.rollback(home, rollback)
        print(f"已回退 / rolled back: {edition.id} {edition.as_of}")
        return
    current = store.current(home)
    for edition in store.history(home):
        mark = "*" if current and edition.id == current.id else " "
        print(
            f"{mark} {edition.id}  {edition.number:>4}  {edition.kind:<9}  {edition.source:<12}  "
            f"{edition.as_of}  {edition.created}"
        )
    if current is None:
        print(f"{home} 中没有版本 / no edition in {home}")


if __name__ == "__main__":
    sys.exit(main())
