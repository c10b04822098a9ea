"""The commands of analysis: changes, migration, cohorts, forecasts, and their lists."""

from __future__ import annotations

import click

from analytics.analysis import (
    attribution,
    cohorts,
    forecast,
    migration,
    narrative,
    reloan_curve,
    roll_rates,
    significance,
)
from analytics.cli.options import DATE, POSITIVE, language_option
from analytics.cli.request import (
    Answer,
    Request,
    analysis_command,
    cell_options,
    limit_options,
    list_of,
)
from analytics.metrics import drilldown
from analytics.metrics.buckets import bucket_sets
from data.errors import UserError


@analysis_command(
    "bridge",
    "变化归因 / why a figure changed: rate and mix",
    click.option("--then", default="", help="second dimension"),
    metric=True,
    pair=True,
    by=True,
)
def _bridge(request: Request, then: str) -> Answer:
    by = request.question.by or ("",)
    question = request.question.with_changes(by=(*by, then) if then else by)
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


@analysis_command(
    "flows",
    "逾期余额的来龙去脉 / money bridge of the overdue stock",
    click.option("--days", type=click.Choice(list(migration.DAYS)), default=30),
    click.option(
        "--list",
        "term",
        type=click.Choice(["opening", *migration.TERMS, "closing"]),
        help="the loans of one term",
    ),
    *limit_options(),
    pair=True,
)
def _flows(request: Request, days: int, term: str | None, limit: int, offset: int) -> Answer:
    query = migration.MigrationQuery(request.question, request.before, "late", days=days)
    if term:
        return list_of(request, migration, query, {"term": term}, limit, offset)
    flows = migration.overdue_rollforward(request.warehouse, query)
    head = {
        "days": days,
        "opening": flows.opening,
        "closing": flows.closing,
        "residual": flows.residual,
    }
    return request.pair | head, {"terms": flows.terms}


@analysis_command(
    "noise",
    "真变化还是波动 / is a change real or noise",
    click.option("--draws", type=POSITIVE, default=significance.DRAWS),
    click.option("--seed", type=int, default=0),
    metric=True,
    pair=True,
    by=True,
)
def _noise(request: Request, draws: int, seed: int) -> Answer:
    result = significance.assess_change(
        request.warehouse, request.question, request.before, draws, seed
    )
    head = request.head | {"draws": result.draws, "seed": result.seed}
    head |= {"customers": result.customers, "drawn": result.sample_size} | result.whole.to_dict()
    return head, {"parts": result.parts}


@analysis_command(
    "sentence",
    "一句话说变化 / the change in one sentence",
    click.option("--by", "dimension", default="class", help="a dimension, or class"),
    language_option("language of the sentence"),
    click.option("--halves", is_flag=True, help="name numerator and denominator"),
    metric=True,
    pair=True,
)
def _sentence(request: Request, dimension: str, lang: str, halves: bool) -> Answer:
    question = request.question.with_changes(by=(dimension,))
    text = narrative.describe_change(
        request.warehouse, question, request.before, lang, halves=halves
    )
    return {"sentence": text}, {}


@analysis_command(
    "migration",
    "迁徙矩阵 / who moved between classes",
    *cell_options("before=A after=B"),
    pair=True,
)
def _migration(request: Request, cell: dict[str, str], limit: int, offset: int) -> Answer:
    query = migration.MigrationQuery(request.question, request.before)
    if cell:
        return list_of(request, migration, query, cell, limit, offset)
    head = request.pair | {"of": "loans" if query.of_loans else "customers"}
    return head, {"matrix": migration.matrix(request.warehouse, query)}


@analysis_command(
    "rates",
    "五级分类迁徙率 / five-category migration rates",
    *cell_options("rate=normal"),
    pair=True,
)
def _rates(request: Request, cell: dict[str, str], limit: int, offset: int) -> Answer:
    if cell:
        query = migration.MigrationQuery(request.question, request.before)
        return list_of(request, migration, query, cell, limit, offset)
    return request.pair, {
        "rates": migration.five_category_rates(request.warehouse, request.question, request.before)
    }


@analysis_command(
    "roll",
    "滚动率 / roll rates by days past due",
    click.option(
        "--from", "before", type=DATE, metavar="DATE", help="month end before, for the matrix"
    ),
    click.option("--buckets", type=click.Choice(sorted(bucket_sets())), default="months"),
    click.option(
        "--last", type=POSITIVE, help="stock roll rates of so many months instead of the matrix"
    ),
    *cell_options("before=m1 after=m2"),
)
def _roll(
    request: Request, buckets: str, last: int | None, cell: dict[str, str], limit: int, offset: int
) -> Answer:
    if last:
        return {}, {
            "series": roll_rates.stock_roll_rates(
                request.warehouse, request.question, last, buckets
            )
        }
    if request.earlier is None:
        raise UserError("roll_needs_from_or_last")
    if cell:
        query = migration.MigrationQuery(request.question, request.before, "bucket", buckets)
        return list_of(request, migration, query, cell, limit, offset)
    matrix = roll_rates.roll_matrix(request.warehouse, request.question, request.before, buckets)
    return request.pair, {"matrix": matrix}


@analysis_command(
    "vintage",
    "账龄 / vintage of loans by month on book",
    click.option("--days", type=click.Choice(list(cohorts.DAYS)), default=30),
    click.option("--late", type=click.Choice(list(cohorts.LATE)), default="ever"),
    click.option("--period", type=click.Choice(list(cohorts.PERIODS)), default="quarter"),
    *cell_options("cohort=2025-07-01 month=6"),
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
        return list_of(request, cohorts, query, cell, limit, offset)
    vintage = cohorts.vintage(request.warehouse, request.question, days, late, period)
    return {"days": days, "late": late}, {"vintage": vintage}


@analysis_command(
    "first-payment",
    "首逾率（按放款批次）/ first-payment default by cohort",
    click.option("--period", type=click.Choice(list(cohorts.PERIODS)), default="month"),
    *cell_options("cohort=2025-07-01 judged=missed"),
    by=True,
)
def _first_payment(
    request: Request, period: str, cell: dict[str, str], limit: int, offset: int
) -> Answer:
    if cell:
        query = cohorts.CohortQuery(request.question, "first", period=period)
        return list_of(request, cohorts, query, cell, limit, offset)
    return {}, {"cohorts": cohorts.first_payment(request.warehouse, request.question, period)}


@analysis_command(
    "curve",
    "复贷曲线 / days from settling to the next loan",
    click.option("--points", is_flag=True, help="every step of the curves too"),
    *cell_options("part=A back=yes"),
    by=True,
)
def _curve(request: Request, points: bool, cell: dict[str, str], limit: int, offset: int) -> Answer:
    if cell:
        query = cohorts.CohortQuery(request.question, "curve")
        return list_of(request, cohorts, query, cell, limit, offset)
    curve = reloan_curve.curve(request.warehouse, request.question)
    frames = {"summary": curve.summary}
    if points:
        frames["points"] = curve.points
    return {}, frames


@analysis_command(
    "forecast",
    "预测 / tiers or buckets 3 and 6 months ahead",
    click.option("--by", "dimension", type=click.Choice(list(forecast.BY)), default="class"),
    click.option("--measure", type=click.Choice(list(forecast.MEASURES)), default="n"),
    click.option("--buckets", type=click.Choice(sorted(bucket_sets())), default="standard"),
    click.option("--seed", type=int, default=0),
)
def _forecast(request: Request, dimension: str, measure: str, buckets: str, seed: int) -> Answer:
    question = request.question.with_changes(by=(dimension,))
    ahead = forecast.forecast(request.warehouse, question, dimension, measure, buckets, seed)
    head = {"measure": ahead.measure, "of": ahead.unit, "months": ahead.months}
    return head, {"ahead": ahead.ahead, "tests": ahead.tests}


@analysis_command(
    "list",
    "一格背后的名单 / the customers or loans behind a cell of `ask`",
    *cell_options("class=C branch_1=01"),
    click.option("--hit", is_flag=True, help="only those in the numerator"),
    click.option("--order", help="the column to put first, largest first"),
    metric=True,
)
def _list(
    request: Request, cell: dict[str, str], hit: bool, order: str | None, limit: int, offset: int
) -> Answer:
    question = request.question.with_changes(by=tuple(cell))
    rows = drilldown.list_rows(request.warehouse, question, cell, hit, limit, offset, order)
    return {"n": drilldown.count_rows(request.warehouse, question, cell, hit)}, {"list": rows}


COMMANDS: tuple[click.Command, ...] = (
    _bridge,
    _flows,
    _noise,
    _sentence,
    _migration,
    _rates,
    _roll,
    _vintage,
    _first_payment,
    _curve,
    _forecast,
    _list,
)
