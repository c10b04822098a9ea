"""The commands of analysis: bridge, flows, noise, sentence, migration, rates, roll, vintage, first-payment, curve,
forecast, and the list behind a cell of any of them."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Mapping
from datetime import date
from typing import Any

import pandas as pd

from analytics.analysis import attribution, cohorts, forecast, migration, narrative
from analytics.analysis import significance as judging
from analytics.cli.options import aligned, date_of, dated, filter_of, formatted, housed, positive, whole
from analytics.i18n.text import LANGUAGES
from analytics.metrics import drilldown
from analytics.metrics.buckets import sets
from analytics.metrics.query import Question
from analytics.rulebooks.schemes import OPENINGS
from data.editions.engine import Warehouse
from data.errors import UserError

Told = tuple[dict[str, Any], dict[str, pd.DataFrame]]


def add(commands: Any) -> None:
    """Add the commands to the parser of `python -m analytics`. `commands` is what add_subparsers gave."""
    made = _bridge, _flows, _noise, _sentence, _migration, _rates, _roll, _vintage, _first_payment, _curve, _forecast
    for make in (*made, _list):
        make(commands)


def _command(
    commands: Any, name: str, words: str, run: Callable, *, metric: bool = False, pair: bool = False, by: bool = False
) -> argparse.ArgumentParser:  # fmt: skip
    parser = commands.add_parser(name, help=words)
    if metric:
        parser.add_argument("metric")
    if pair:
        parser.add_argument("--from", dest="before", required=True, type=date_of, metavar="DATE", help="earlier month")
        parser.add_argument("--to", dest="as_of", required=True, type=date_of, metavar="DATE", help="second month end")
    else:
        parser.add_argument("--as-of", required=True, type=date_of, metavar="DATE", help="month end, YYYY-MM-DD")
    if by:
        parser.add_argument("--by", default="", help="a split, or class")
    parser.add_argument("--where", nargs="+", action="extend", default=[], metavar="col=value[,value]")
    parser.add_argument("--scheme", default="abcd")
    parser.add_argument("--opening", type=int, default=3, choices=(0, *OPENINGS), help="months before, of a class")
    housed(parser)
    formatted(parser)

    def ran(given: argparse.Namespace) -> None:
        _print(*run(Warehouse(given.home), given), given.format)

    parser.set_defaults(run=ran)
    return parser


def _question(given: argparse.Namespace, metric: str = "loans", by: tuple[str, ...] | None = None) -> Question:
    named = getattr(given, "by", "") if by is None else ""
    return Question(
        getattr(given, "metric", metric),
        given.as_of,
        by=by if by is not None else tuple(name.strip() for name in named.split(",") if name.strip()),
        where=tuple(filter_of(text) for text in given.where),
        scheme=given.scheme,
        opening=given.opening,
    )


def _bridge(commands: Any) -> None:
    def run(bank: Warehouse, given: argparse.Namespace) -> Told:
        by = (given.by, given.then) if given.then else (given.by,)
        found = attribution.bridge(bank, _question(given, by=by), given.before)
        head = _pair(given) | {
            "value_before": found.whole["value_before"], "value": found.whole["value"], "change": found.change,
            "rate_effect": found.rate, "mix_effect": found.mix, "residual": found.residual,
        }  # fmt: skip
        return head, {"parts": found.parts} | ({} if found.cells is None else {"cells": found.cells})

    parser = _command(
        commands, "bridge", "变化归因 / why a figure changed: rate and mix", run, metric=True, pair=True, by=True
    )
    parser.add_argument("--then", default="", help="second split")


def _flows(commands: Any) -> None:
    def run(bank: Warehouse, given: argparse.Namespace) -> Told:
        asked = migration.Moves(_question(given), given.before, "late", days=given.days)
        if given.list:
            return _opened(bank, migration, asked, {"term": given.list}, given)
        found = migration.flows(bank, asked)
        head = _pair(given) | {"days": given.days, "opening": found.opening, "closing": found.closing}
        return head | {"residual": found.residual}, {"terms": found.terms}

    parser = _command(commands, "flows", "逾期余额的来龙去脉 / money bridge of the overdue stock", run, pair=True)
    parser.add_argument("--days", type=int, default=30, choices=migration.DAYS)
    parser.add_argument("--list", choices=("opening", *migration.TERMS, "closing"), help="the loans of one term")
    _paged(parser)


def _noise(commands: Any) -> None:
    def run(bank: Warehouse, given: argparse.Namespace) -> Told:
        found = judging.noise(bank, _question(given), given.before, given.draws, given.seed)
        head = _pair(given) | {"draws": found.draws, "seed": found.seed}
        head |= {"customers": found.customers, "drawn": found.drawn} | found.whole.to_dict()
        return head, {"parts": found.parts}

    parser = _command(
        commands, "noise", "真变化还是波动 / is a change real or noise", run, metric=True, pair=True, by=True
    )
    parser.add_argument("--draws", type=positive, default=judging.DRAWS)
    parser.add_argument("--seed", type=int, default=0)


def _sentence(commands: Any) -> None:
    def run(bank: Warehouse, given: argparse.Namespace) -> Told:
        said = narrative.of(bank, _question(given, by=(given.by,)), given.before, given.lang, halves=given.halves)
        return {"sentence": said}, {}

    parser = _command(
        commands, "sentence", "一句话说变化 / the change in one sentence", run, metric=True, pair=True, by=True
    )
    parser.set_defaults(by="class")
    parser.add_argument("--lang", choices=LANGUAGES, default=LANGUAGES[0])
    parser.add_argument("--halves", action="store_true", help="name numerator and denominator")


def _migration(commands: Any) -> None:
    def run(bank: Warehouse, given: argparse.Namespace) -> Told:
        asked = migration.Moves(_question(given), given.before)
        if given.cell:
            return _opened(bank, migration, asked, _cell(given), given)
        return _pair(given) | {"of": "loans" if asked.of_loans else "customers"}, {
            "matrix": migration.matrix(bank, asked)
        }

    parser = _command(commands, "migration", "迁徙矩阵 / who moved between classes", run, pair=True)
    _celled(parser, "before=A after=B")


def _rates(commands: Any) -> None:
    def run(bank: Warehouse, given: argparse.Namespace) -> Told:
        if given.cell:
            return _opened(bank, migration, migration.Moves(_question(given), given.before), _cell(given), given)
        return _pair(given), {"rates": migration.rates(bank, _question(given), given.before)}

    parser = _command(commands, "rates", "五级分类迁徙率 / five-category migration rates", run, pair=True)
    _celled(parser, "rate=normal")


def _roll(commands: Any) -> None:
    def run(bank: Warehouse, given: argparse.Namespace) -> Told:
        if given.last:
            return {}, {"series": migration.roll_series(bank, _question(given), given.last, given.buckets)}
        if given.before is None:
            raise UserError("roll_needs_from_or_last")
        if given.cell:
            asked = migration.Moves(_question(given), given.before, "bucket", given.buckets)
            return _opened(bank, migration, asked, _cell(given), given)
        return _pair(given), {"matrix": migration.roll(bank, _question(given), given.before, given.buckets)}

    parser = _command(commands, "roll", "滚动率 / roll rates by days past due", run)
    parser.add_argument("--from", dest="before", type=date_of, metavar="DATE", help="month end before, for the matrix")
    parser.add_argument("--buckets", default="months", choices=sorted(sets()))
    parser.add_argument("--last", type=positive, help="stock roll rates of so many months instead of the matrix")
    _celled(parser, "before=m1 after=m2")


def _vintage(commands: Any) -> None:
    def run(bank: Warehouse, given: argparse.Namespace) -> Told:
        if given.cell:
            asked = cohorts.Cohorts(_question(given), "vintage", given.days, given.late, given.period)
            return _opened(bank, cohorts, asked, _cell(given), given)
        head = {"days": given.days, "late": given.late}
        found = cohorts.vintage(bank, _question(given), given.days, given.late, given.period)
        return head, {"vintage": found}

    parser = _command(commands, "vintage", "账龄 / vintage of loans by month on book", run, by=True)
    parser.add_argument("--days", type=int, default=30, choices=cohorts.DAYS)
    parser.add_argument("--late", default="ever", choices=cohorts.LATE)
    parser.add_argument("--period", default="quarter", choices=cohorts.PERIODS)
    _celled(parser, "cohort=2025-07-01 month=6")


def _first_payment(commands: Any) -> None:
    def run(bank: Warehouse, given: argparse.Namespace) -> Told:
        if given.cell:
            asked = cohorts.Cohorts(_question(given), "first", period=given.period)
            return _opened(bank, cohorts, asked, _cell(given), given)
        return {}, {"cohorts": cohorts.first_payment(bank, _question(given), given.period)}

    parser = _command(commands, "first-payment", "首逾率（按放款批次）/ first-payment default by cohort", run, by=True)
    parser.add_argument("--period", default="month", choices=cohorts.PERIODS)
    _celled(parser, "cohort=2025-07-01 judged=missed")


def _curve(commands: Any) -> None:
    def run(bank: Warehouse, given: argparse.Namespace) -> Told:
        if given.cell:
            return _opened(bank, cohorts, cohorts.Cohorts(_question(given), "curve"), _cell(given), given)
        found = cohorts.curve(bank, _question(given))
        return {}, {"summary": found.summary, "points": found.points} if given.points else {"summary": found.summary}

    parser = _command(commands, "curve", "复贷曲线 / days from settling to the next loan", run, by=True)
    parser.add_argument("--points", action="store_true", help="every step of the curves too")
    _celled(parser, "part=A back=yes")


def _forecast(commands: Any) -> None:
    def run(bank: Warehouse, given: argparse.Namespace) -> Told:
        found = forecast.forecast(bank, _question(given), given.by, given.measure, given.buckets, given.seed)
        return {"measure": found.measure, "of": found.unit, "months": found.months}, {
            "ahead": found.ahead, "tests": found.tests,
        }  # fmt: skip

    parser = _command(commands, "forecast", "预测 / tiers or buckets 3 and 6 months ahead", run)
    parser.add_argument("--by", default="class", choices=forecast.BY)
    parser.add_argument("--measure", default="n", choices=tuple(forecast.MEASURES))
    parser.add_argument("--buckets", default="standard", choices=sorted(sets()))
    parser.add_argument("--seed", type=int, default=0)


def _list(commands: Any) -> None:
    def run(bank: Warehouse, given: argparse.Namespace) -> Told:
        cell = _cell(given)
        question = _question(given, by=tuple(cell))
        lines = drilldown.rows(bank, question, cell, given.hit, given.limit, given.offset, given.order)
        return {"n": drilldown.count(bank, question, cell, given.hit)}, {"list": lines}

    parser = _command(
        commands, "list", "一格背后的名单 / the customers or loans behind a cell of `ask`", run, metric=True
    )
    _celled(parser, "class=C branch_1=01")
    parser.add_argument("--hit", action="store_true", help="only those in the numerator")
    parser.add_argument("--order", help="the column to put first, largest first")


def _paged(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--limit", type=positive, default=200, help="rows of a list")
    parser.add_argument("--offset", type=whole, default=0, help="rows of a list to pass over")


def _celled(parser: argparse.ArgumentParser, example: str) -> None:
    parser.add_argument(
        "--cell", nargs="+", action="extend", default=[], metavar="name=code", help=f"the list of a cell: {example}"
    )
    _paged(parser)


def _cell(given: argparse.Namespace) -> dict[str, str]:
    found = {}
    for told in given.cell:
        name, codes = filter_of(told)
        found[name] = ",".join(codes)
    return found


def _opened(bank: Warehouse, room: Any, asked: Any, cell: Mapping[str, str], given: argparse.Namespace) -> Told:
    return {"n": room.counted(bank, asked, cell)}, {"list": room.listed(bank, asked, cell, given.limit, given.offset)}


def _pair(given: argparse.Namespace) -> dict[str, Any]:
    named = {"metric": given.metric} if hasattr(given, "metric") else {}
    return named | {"from": given.before, "to": given.as_of}


def _print(head: Mapping[str, Any], frames: Mapping[str, pd.DataFrame], form: str) -> None:
    """A head of single figures and frames, as text, as CSV (the first frame), or as one JSON object."""
    plain = {name: _plain(value) for name, value in head.items()}
    if form == "json":
        told = {name: _records(frame) for name, frame in frames.items()}
        print(json.dumps(plain | told, ensure_ascii=False, indent=1))
        return
    if form == "csv":
        for frame in list(frames.values())[:1] or [pd.DataFrame([plain])]:
            print(dated(frame).to_csv(index=False), end="")
        return
    if plain:
        print("\n".join(f"{name}: {value}" for name, value in plain.items()))
    for name, frame in frames.items():
        print(f"\n{name}" if plain or len(frames) > 1 else "", end="\n" if plain or len(frames) > 1 else "")
        print(aligned(frame))


def _plain(value: Any) -> Any:
    """A figure as JSON has it: dates as text, decimals and numpy numbers as numbers, gaps as null."""
    if isinstance(value, date):
        return value.isoformat()
    if value is None or isinstance(value, (str, bool)):
        return value
    number = float(value)
    if number != number or number in (float("inf"), float("-inf")):
        return None
    return int(number) if number.is_integer() and not isinstance(value, float) else number


def _records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    cells = dated(frame).astype(object)
    cells = cells.where(cells.notna(), None)
    return [{name: _plain(value) for name, value in row.items()} for row in cells.to_dict("records")]
