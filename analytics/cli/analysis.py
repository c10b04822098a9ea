"""The commands of analysis: bridge, flows, noise, sentence, migration, rates, roll, vintage, first-payment, curve,
forecast, and the list behind a cell of any of them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from types import ModuleType
from typing import Any

import click
import pandas as pd

from analytics.analysis import attribution, cohorts, forecast, migration, narrative, significance
from analytics.cli.options import (
    DATE,
    POSITIVE,
    WHOLE,
    aligned,
    as_of_option,
    by_option,
    command,
    dated,
    filter_of,
    format_option,
    home_option,
    language_option,
    scheme_option,
    where_option,
)
from analytics.metrics import drilldown
from analytics.metrics.buckets import sets
from analytics.metrics.query import Question
from analytics.rulebooks.schemes import OPENINGS
from data.command_line import RepeatedOption
from data.editions.reader import Warehouse
from data.errors import UserError

Answer = tuple[dict[str, Any], dict[str, pd.DataFrame]]
COMMANDS: list[click.Command] = []


@dataclass(frozen=True)
class Request:
    """What every command of analysis is asked: the question, the month before it is compared with, the warehouse."""

    warehouse: Warehouse
    question: Question
    before: date

    @property
    def pair(self) -> dict[str, Any]:
        """The two month ends of an answer's head."""
        return {"from": self.before, "to": self.question.as_of}

    @property
    def head(self) -> dict[str, Any]:
        """Metric and month ends of an answer's head."""
        return {"metric": self.question.metric} | self.pair


def _command(
    name: str,
    words: str,
    *options: Callable,
    metric: bool = False,
    pair: bool = False,
    by: bool = False,
) -> Callable:
    """Make a command of a function that takes a Request and its own options and returns head and frames."""
    argument = [click.argument("metric")] if metric else []
    months = [as_of_option()]
    if pair:
        months = [
            click.option(
                "--from",
                "before",
                required=True,
                type=DATE,
                metavar="DATE",
                help="earlier month end",
            ),
            click.option(
                "--to", "as_of", required=True, type=DATE, metavar="DATE", help="second month end"
            ),
        ]
    dimension = [by_option("a dimension, or class")] if by else []
    opening = click.option(
        "--opening",
        type=click.Choice([0, *OPENINGS]),
        default=3,
        show_default=True,
        help="months before, of a class",
    )
    common = [where_option(), scheme_option(), opening, home_option(), format_option()]

    def made(function: Callable[..., Answer]) -> click.Command:
        def run(
            as_of: date,
            where: tuple,
            scheme: str,
            opening: int,
            home: Path,
            format: str,
            metric: str = "loans",
            before: date | None = None,
            by: tuple[str, ...] = (),
            **own: Any,
        ) -> None:
            question = Question(metric, as_of, by=by, where=where, scheme=scheme, opening=opening)
            _print(*function(Request(Warehouse(home), question, before), **own), format)

        its = command(name, words, *argument, *months, *dimension, *common, *options)(run)
        COMMANDS.append(its)
        return its

    return made


def _limit_options() -> tuple[Callable, ...]:
    return (
        click.option("--limit", type=POSITIVE, default=200, help="rows of a list"),
        click.option("--offset", type=WHOLE, default=0, help="rows of a list to pass over"),
    )


def _cell(
    _context: click.Context, _option: click.Parameter, texts: Iterable[str]
) -> dict[str, str]:
    pairs = (filter_of(text) for text in texts)
    return {name: ",".join(codes) for name, codes in pairs}


def _cell_options(example: str) -> tuple[Callable, ...]:
    cell = click.option(
        "--cell",
        cls=RepeatedOption,
        callback=_cell,
        metavar="name=code …",
        help=f"the list of a cell: {example}",
    )
    return cell, *_limit_options()


def _list_of(
    request: Request,
    topic: ModuleType,
    query: Any,
    cell: Mapping[str, str],
    limit: int,
    offset: int,
) -> Answer:
    count = topic.count_rows(request.warehouse, query, cell)
    return {"n": count}, {"list": topic.list_rows(request.warehouse, query, cell, limit, offset)}


@_command(
    "bridge",
    "变化归因 / why a figure changed: rate and mix",
    click.option("--then", default="", help="second dimension"),
    metric=True,
    pair=True,
    by=True,
)
def _bridge(request: Request, then: str) -> Answer:
    by = request.question.by or ("",)
    question = request.question.about(by=(*by, then) if then else by)
    bridge = attribution.bridge(request.warehouse, question, request.before)
    head = request.head | {
        "value_before": bridge.whole["value_before"],
        "value": bridge.whole["value"],
        "change": bridge.change,
        "rate_effect": bridge.rate,
        "mix_effect": bridge.mix,
        "residual": bridge.residual,
    }
    frames = {"parts": bridge.parts}
    if bridge.cells is not None:
        frames["cells"] = bridge.cells
    return head, frames


@_command(
    "flows",
    "逾期余额的来龙去脉 / money bridge of the overdue stock",
    click.option("--days", type=click.Choice(list(migration.DAYS)), default=30),
    click.option(
        "--list",
        "term",
        type=click.Choice(["opening", *migration.TERMS, "closing"]),
        help="the loans of one term",
    ),
    *_limit_options(),
    pair=True,
)
def _flows(request: Request, days: int, term: str | None, limit: int, offset: int) -> Answer:
    query = migration.MigrationQuery(request.question, request.before, "late", days=days)
    if term:
        return _list_of(request, migration, query, {"term": term}, limit, offset)
    flows = migration.flows(request.warehouse, query)
    head = {
        "days": days,
        "opening": flows.opening,
        "closing": flows.closing,
        "residual": flows.residual,
    }
    return request.pair | head, {"terms": flows.terms}


@_command(
    "noise",
    "真变化还是波动 / is a change real or noise",
    click.option("--draws", type=POSITIVE, default=significance.DRAWS),
    click.option("--seed", type=int, default=0),
    metric=True,
    pair=True,
    by=True,
)
def _noise(request: Request, draws: int, seed: int) -> Answer:
    result = significance.noise(request.warehouse, request.question, request.before, draws, seed)
    head = request.head | {"draws": result.draws, "seed": result.seed}
    head |= {"customers": result.customers, "drawn": result.drawn} | result.whole.to_dict()
    return head, {"parts": result.parts}


@_command(
    "sentence",
    "一句话说变化 / the change in one sentence",
    click.option("--by", "dimension", default="class", help="a dimension, or class"),
    language_option("language of the sentence"),
    click.option("--halves", is_flag=True, help="name numerator and denominator"),
    metric=True,
    pair=True,
)
def _sentence(request: Request, dimension: str, lang: str, halves: bool) -> Answer:
    question = request.question.about(by=(dimension,))
    text = narrative.describe_change(
        request.warehouse, question, request.before, lang, halves=halves
    )
    return {"sentence": text}, {}


@_command(
    "migration",
    "迁徙矩阵 / who moved between classes",
    *_cell_options("before=A after=B"),
    pair=True,
)
def _migration(request: Request, cell: dict[str, str], limit: int, offset: int) -> Answer:
    query = migration.MigrationQuery(request.question, request.before)
    if cell:
        return _list_of(request, migration, query, cell, limit, offset)
    head = request.pair | {"of": "loans" if query.of_loans else "customers"}
    return head, {"matrix": migration.matrix(request.warehouse, query)}


@_command(
    "rates",
    "五级分类迁徙率 / five-category migration rates",
    *_cell_options("rate=normal"),
    pair=True,
)
def _rates(request: Request, cell: dict[str, str], limit: int, offset: int) -> Answer:
    if cell:
        query = migration.MigrationQuery(request.question, request.before)
        return _list_of(request, migration, query, cell, limit, offset)
    return request.pair, {
        "rates": migration.rates(request.warehouse, request.question, request.before)
    }


@_command(
    "roll",
    "滚动率 / roll rates by days past due",
    click.option(
        "--from", "before", type=DATE, metavar="DATE", help="month end before, for the matrix"
    ),
    click.option("--buckets", type=click.Choice(sorted(sets())), default="months"),
    click.option(
        "--last", type=POSITIVE, help="stock roll rates of so many months instead of the matrix"
    ),
    *_cell_options("before=m1 after=m2"),
)
def _roll(
    request: Request, buckets: str, last: int | None, cell: dict[str, str], limit: int, offset: int
) -> Answer:
    if last:
        return {}, {
            "series": migration.roll_series(request.warehouse, request.question, last, buckets)
        }
    if request.before is None:
        raise UserError("roll_needs_from_or_last")
    if cell:
        query = migration.MigrationQuery(request.question, request.before, "bucket", buckets)
        return _list_of(request, migration, query, cell, limit, offset)
    matrix = migration.roll(request.warehouse, request.question, request.before, buckets)
    return request.pair, {"matrix": matrix}


@_command(
    "vintage",
    "账龄 / vintage of loans by month on book",
    click.option("--days", type=click.Choice(list(cohorts.DAYS)), default=30),
    click.option("--late", type=click.Choice(list(cohorts.LATE)), default="ever"),
    click.option("--period", type=click.Choice(list(cohorts.PERIODS)), default="quarter"),
    *_cell_options("cohort=2025-07-01 month=6"),
    by=True,
)
def _vintage(
    request: Request,
    days: int,
    late: str,
    period: str,
    cell: dict[str, str],
    limit: int,
    offset: int,
) -> Answer:
    if cell:
        query = cohorts.CohortQuery(request.question, "vintage", days, late, period)
        return _list_of(request, cohorts, query, cell, limit, offset)
    vintage = cohorts.vintage(request.warehouse, request.question, days, late, period)
    return {"days": days, "late": late}, {"vintage": vintage}


@_command(
    "first-payment",
    "首逾率（按放款批次）/ first-payment default by cohort",
    click.option("--period", type=click.Choice(list(cohorts.PERIODS)), default="month"),
    *_cell_options("cohort=2025-07-01 judged=missed"),
    by=True,
)
def _first_payment(
    request: Request, period: str, cell: dict[str, str], limit: int, offset: int
) -> Answer:
    if cell:
        query = cohorts.CohortQuery(request.question, "first", period=period)
        return _list_of(request, cohorts, query, cell, limit, offset)
    return {}, {"cohorts": cohorts.first_payment(request.warehouse, request.question, period)}


@_command(
    "curve",
    "复贷曲线 / days from settling to the next loan",
    click.option("--points", is_flag=True, help="every step of the curves too"),
    *_cell_options("part=A back=yes"),
    by=True,
)
def _curve(request: Request, points: bool, cell: dict[str, str], limit: int, offset: int) -> Answer:
    if cell:
        query = cohorts.CohortQuery(request.question, "curve")
        return _list_of(request, cohorts, query, cell, limit, offset)
    curve = cohorts.curve(request.warehouse, request.question)
    frames = {"summary": curve.summary}
    if points:
        frames["points"] = curve.points
    return {}, frames


@_command(
    "forecast",
    "预测 / tiers or buckets 3 and 6 months ahead",
    click.option("--by", "dimension", type=click.Choice(list(forecast.BY)), default="class"),
    click.option("--measure", type=click.Choice(list(forecast.MEASURES)), default="n"),
    click.option("--buckets", type=click.Choice(sorted(sets())), default="standard"),
    click.option("--seed", type=int, default=0),
)
def _forecast(request: Request, dimension: str, measure: str, buckets: str, seed: int) -> Answer:
    question = request.question.about(by=(dimension,))
    ahead = forecast.forecast(request.warehouse, question, dimension, measure, buckets, seed)
    head = {"measure": ahead.measure, "of": ahead.unit, "months": ahead.months}
    return head, {"ahead": ahead.ahead, "tests": ahead.tests}


@_command(
    "list",
    "一格背后的名单 / the customers or loans behind a cell of `ask`",
    *_cell_options("class=C branch_1=01"),
    click.option("--hit", is_flag=True, help="only those in the numerator"),
    click.option("--order", help="the column to put first, largest first"),
    metric=True,
)
def _list(
    request: Request, cell: dict[str, str], hit: bool, order: str | None, limit: int, offset: int
) -> Answer:
    question = request.question.about(by=tuple(cell))
    rows = drilldown.list_rows(request.warehouse, question, cell, hit, limit, offset, order)
    return {"n": drilldown.count_rows(request.warehouse, question, cell, hit)}, {"list": rows}


def _print(head: Mapping[str, Any], frames: Mapping[str, pd.DataFrame], form: str) -> None:
    """Print single figures and frames as text, as CSV (the first frame), or as one JSON object."""
    plain = {name: _plain(value) for name, value in head.items()}
    if form == "json":
        records = {name: _records(frame) for name, frame in frames.items()}
        print(json.dumps(plain | records, ensure_ascii=False, indent=1))
        return
    if form == "csv":
        for frame in list(frames.values())[:1] or [pd.DataFrame([plain])]:
            print(dated(frame).to_csv(index=False), end="")
        return
    if plain:
        print("\n".join(f"{name}: {value}" for name, value in plain.items()))
    has_titles = bool(plain) or len(frames) > 1
    for name, frame in frames.items():
        if has_titles:
            print(f"\n{name}")
        print(aligned(frame))


def _plain(value: Any) -> Any:
    """A figure as JSON has it: dates as text, decimals and numpy numbers as numbers, missing values as null."""
    if isinstance(value, date):
        return value.isoformat()
    if value is None or isinstance(value, (str, bool)):
        return value
    number = float(value)
    if number != number or number in (float("inf"), float("-inf")):
        return None
    if number.is_integer() and not isinstance(value, float):
        return int(number)
    return number


def _records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    cells = dated(frame).astype(object)
    cells = cells.where(cells.notna(), None)
    return [
        {name: _plain(value) for name, value in row.items()} for row in cells.to_dict("records")
    ]
