"""python -m data contract | demo | load | check | editions"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import os
import re
import sys
import time
from pathlib import Path

from data.contract.schema import BadContract, describe, read_contract
from data.dates import is_month_end
from data.editions import store
from data.editions.manifest import Edition
from data.errors import InvalidRequest, UserError
from data.ingest.encodings import ENCODINGS
from data.ingest.source import source_names
from data.loading.pipeline import Overrides, SameDelivery, load


def _day(text: str) -> dt.date:
    try:
        return dt.date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"日期须为 YYYY-MM-DD / a date must be YYYY-MM-DD: {text!r}") from None


def _month_end(text: str) -> dt.date:
    day = _day(text)
    if not is_month_end(day):
        raise argparse.ArgumentTypeError(f"须为月末日期 / must be the last day of a month: {text!r}")
    return day


def _limit(text: str) -> tuple[str, float]:
    name, _, share = text.partition("=")
    try:
        told = float(share)
    except ValueError:
        told = -1.0
    if not told >= 0:
        raise argparse.ArgumentTypeError(f"须为 名称=比例 / must be NAME=SHARE: {text!r}")
    return name, told


def _memory(text: str) -> str:
    if not re.fullmatch(r"[0-9]+(\.[0-9]+)? ?([KMGT]i?B|%)", text, re.IGNORECASE):
        raise argparse.ArgumentTypeError(f"须如 4GB 或 60% / must be as 4GB or 60%: {text!r}")
    return text


def _threads(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"须为正整数 / must be a whole number above zero: {text!r}")
    return int(text)


def _folder(text: str) -> Path:
    if Path(text).is_file():
        raise argparse.ArgumentTypeError(f"是文件，不是文件夹 / is a file, not a folder: {text}")
    return Path(text)


class Parser(argparse.ArgumentParser):
    """Wrong use is told in one line; exit code 2."""

    def error(self, message: str):
        self.exit(2, f"{message}. See `{self.prog} --help`.\n")


def parser() -> argparse.ArgumentParser:
    home = Path(os.environ.get("LOAN_PANORAMA_HOME", ".bank/home"))
    main = Parser(prog="python -m data", description="数据：合同、演示数据、加载、版本 / data in")
    commands = main.add_subparsers(dest="command", required=True, parser_class=Parser)
    contract = commands.add_parser("contract", help="打印数据合同 / print the contract")
    contract.add_argument("--language", choices=("zh", "en"), default="zh")
    demo = commands.add_parser("demo", help="写出虚构银行的交付 / write the delivery of an invented bank")
    demo.add_argument("--customers", type=int, default=20_000)
    demo.add_argument("--months", type=int, default=36)
    demo.add_argument("--seed", type=int, default=7)
    demo.add_argument("--as-of", type=_month_end, default=None)
    demo.add_argument("--format", choices=("parquet", "csv"), default="parquet")
    demo.add_argument("--next", action="store_true", help="下一个月的增量 / the increment of the month after")
    demo.add_argument("--to", type=_folder, required=True)
    for name, words in (
        ("load", "检查并发布一份交付 / check and publish a delivery"),
        ("check", "只检查，不发布 / check only, publish nothing"),
    ):
        command = commands.add_parser(name, help=words)
        command.add_argument("delivery", help="文件夹或 postgresql:// 地址 / a folder or a postgresql:// address")
        command.add_argument("--source", default="contract", help=f"{' | '.join(source_names())}")
        command.add_argument("--home", type=_folder, default=home)
        command.add_argument("--as-of", type=_month_end, default=None)
        command.add_argument("--kind", choices=("full", "increment"), default=None)
        command.add_argument("--encoding", choices=ENCODINGS, type=str.lower, default=None)
        command.add_argument("--limit", type=_limit, action="append", default=[], metavar="NAME=SHARE")
        command.add_argument(
            "--accept-volume", metavar="NAME", default=None, help="放行量的变化的人 / who accepts the change of volume"
        )
        command.add_argument("--report", choices=("text", "json"), default="text")
        command.add_argument("--memory", type=_memory, default=None, help="4GB | 60%%")
        command.add_argument("--threads", type=_threads, default=None)
    versions = commands.add_parser("editions", help="列出或回退版本 / list or roll back editions")
    versions.add_argument("--home", type=_folder, default=home)
    versions.add_argument("--rollback", metavar="ID")
    return main


def main(argv: list[str] | None = None) -> int:
    """0 done; 1 what was handed over, or the disk, is refused; 2 wrong use: what was asked for is not there or cannot
    be."""
    asked = parser().parse_args(argv)
    try:
        return _COMMANDS[asked.command](asked)
    except SameDelivery as same:
        print(same)
        return 0
    except (UserError, BadContract) as refused:
        print(refused, file=sys.stderr)
        return 2 if isinstance(refused, InvalidRequest) else 1
    except KeyboardInterrupt:
        print("已中断，未发布 / interrupted, nothing was published", file=sys.stderr)
        return 1


def _contract(asked: argparse.Namespace) -> int:
    print(describe(read_contract(), asked.language))
    return 0


def _demo(asked: argparse.Namespace) -> int:
    from data import demo

    started = time.monotonic()
    write = demo.write_next if asked.next else demo.write
    more = {"as_of": asked.as_of} if asked.as_of else {}
    try:
        manifest = write(asked.to, asked.customers, asked.months, asked.seed, form=asked.format, **more)
    except ValueError as error:
        raise InvalidRequest("demo_options", error=error) from error
    except OSError as error:
        raise UserError("output_not_writable", path=asked.to, error=error.strerror) from error
    rows = sum(table["rows"] for table in manifest["tables"].values())
    print(f"{asked.to}: {rows:,} 行 / rows, {time.monotonic() - started:.1f} s", file=sys.stderr)
    return 0


def _progress(step: str, rows: int, seconds: float) -> None:
    # One write: two hands may come at a time.
    print(f"  {step:<28}{rows:>14,}{seconds:>9.1f} s\n", end="", file=sys.stderr, flush=True)


def _load(asked: argparse.Namespace) -> int:
    from analytics.marts.build import build

    started = time.monotonic()
    edition = load(
        asked.delivery,
        asked.source,
        asked.home,
        build_marts=build,
        as_of=asked.as_of,
        kind=asked.kind,
        overrides=Overrides(dict(asked.limit), asked.accept_volume, asked.encoding),
        progress=_progress,
        memory=asked.memory,
        threads=asked.threads,
    )
    _report(edition, asked.report, time.monotonic() - started)
    return 0


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
    for name, tally in [*facts["files"].items(), *facts["tables"].items()]:
        print(f"{name:<18}{tally['read']:>14,}{tally['loaded']:>14,}{tally['rejected']:>14,}{tally['skipped']:>14,}")
    print(f"版本 edition {edition.id}，截止 as of {edition.as_of}，{seconds:.1f} s")


def _check(asked: argparse.Namespace) -> int:
    from data.loading.pipeline import dry_run

    facts = dry_run(
        asked.delivery,
        asked.source,
        asked.home,
        as_of=asked.as_of,
        kind=asked.kind,
        overrides=Overrides(dict(asked.limit), asked.accept_volume, asked.encoding),
        progress=_progress,
    )
    print(
        json.dumps({"tables": facts["tables"], "files": facts["files"]}, ensure_ascii=False, indent=1)
        if asked.report == "json"
        else "可以加载 / fit to be loaded"
    )
    return 0


def _editions(asked: argparse.Namespace) -> int:
    if asked.rollback:
        edition = store.rollback(asked.home, asked.rollback)
        print(f"已回退 / rolled back: {edition.id} {edition.as_of}")
        return 0
    current = store.current(asked.home)
    for edition in store.history(asked.home):
        mark = "*" if current and edition.id == current.id else " "
        print(
            f"{mark} {edition.id}  {edition.number:>4}  {edition.kind:<9}  {edition.source:<12}  "
            f"{edition.as_of}  {edition.created}"
        )
    if current is None:
        print(f"{asked.home} 中没有版本 / no edition in {asked.home}")
    return 0


_COMMANDS = {"contract": _contract, "demo": _demo, "load": _load, "check": _check, "editions": _editions}

if __name__ == "__main__":
    sys.exit(main())
