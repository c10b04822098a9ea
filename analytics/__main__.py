"""`python -m analytics`: every figure of the pages on the command line."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import date
from pathlib import Path

import click
import pandas as pd

from analytics.cli import analysis, rulebooks, segments
from analytics.cli.options import (
    Filters,
    as_of_option,
    by_option,
    command,
    format_option,
    home_option,
    scheme_option,
    show,
    where_option,
)
from analytics.metrics.definitions import DIMENSIONS, METRICS, Metric
from analytics.metrics.query import ask, sql_of
from analytics.metrics.question import COMPARISONS, Question
from analytics.metrics.targets import with_targets
from data.command_line import run
from data.editions.reader import Warehouse
from data.errors import UserError

PROGRAM = "python -m analytics"


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code.

    0 for success, 1 for a refused rulebook or row, 2 with one line on standard error for a request
    that cannot be answered.
    """
    try:
        return run(_commands(), argv, PROGRAM)
    except UserError as error:
        print(" ".join(str(error).split()), file=sys.stderr)
        return 2


def _commands() -> click.Group:
    group = click.Group(help="指标问答 / every figure of the product", no_args_is_help=False)
    commands = (_metrics, _ask, *analysis.COMMANDS, *rulebooks.COMMANDS, segments.COMMANDS)
    for entry in commands:
        group.add_command(entry)
    return group


@command(
    "ask",
    "查一个指标 / ask for a metric",
    click.argument("metric"),
    as_of_option(),
    by_option("dimensions, comma separated"),
    where_option(),
    scheme_option(),
    click.option(
        "--opening",
        type=int,
        default=3,
        show_default=True,
        help="class so many months before (0, 1, 3, 12); 0 is the class of the day itself",
    ),
    click.option("--last", type=int, default=1, help="number of month ends up to the date"),
    click.option("--compare", type=click.Choice(list(COMPARISONS))),
    click.option("--targets", is_flag=True, help="target and red line beside each value"),
    click.option("--sql", is_flag=True, help="print the SQL instead of the answer"),
    home_option(),
    format_option(),
)
def _ask(
    metric: str,
    as_of: date,
    by: tuple[str, ...],
    where: Filters,
    scheme: str,
    opening: int,
    last: int,
    compare: str | None,
    targets: bool,
    sql: bool,
    home: Path,
    format: str,
) -> None:
    question = Question(
        metric,
        as_of,
        by=by,
        where=where,
        scheme=scheme,
        opening=opening,
        last=last,
        compare=compare,
    )
    warehouse = Warehouse(home)
    if sql:
        print(sql_of(warehouse, question))
        return
    answer = with_targets if targets else ask
    show(answer(warehouse, question), format)


@command("metrics", "列出指标与拆分维度 / list the metrics and their dimensions", format_option())
def _metrics(format: str) -> None:
    rows = [
        {
            "metric": metric.id,
            "zh-CN": metric.name["zh-CN"],
            "en": metric.name["en"],
            "unit": metric.unit,
            "better": metric.better,
            "splits": ",".join(_dimensions_of(metric)),
        }
        for metric in METRICS.values()
        if not metric.retired
    ]
    show(pd.DataFrame(rows), format)


def _dimensions_of(metric: Metric) -> list[str]:
    names = ["class"] if metric.supports(None) else []
    return names + [dimension.id for dimension in DIMENSIONS.values() if metric.supports(dimension)]


if __name__ == "__main__":
    sys.exit(main())
