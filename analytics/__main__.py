"""python -m analytics: every figure of a page, asked for without a browser."""

from __future__ import annotations

import argparse
import os
import sys

import pandas as pd

from analytics.cli import analysis, rulebooks, segments
from analytics.cli.options import Parser, date_of, filter_of, formatted, housed, show
from analytics.metrics.definitions import METRICS, SPLITS
from analytics.metrics.query import Question, ask, sql_of
from analytics.metrics.sql_builder import COMPARISONS
from analytics.metrics.targets import beside
from data.editions.engine import Warehouse
from data.errors import UserError


def main(argv: list[str] | None = None) -> int:
    """Exit code 0; 1 where a rulebook or a row is refused; 2 with one line on stderr for what cannot be answered."""
    try:
        given = _parser().parse_args(argv)
        return given.run(given) or 0
    except UserError as refusal:
        print(" ".join(str(refusal).split()), file=sys.stderr)
        return 2
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = Parser(prog="python -m analytics", description="指标问答 / every figure of the product")
    commands = parser.add_subparsers(dest="command", required=True, parser_class=Parser)
    listed = commands.add_parser("metrics", help="列出指标与拆分维度 / list the metrics and splits")
    formatted(listed)
    listed.set_defaults(run=_metrics)
    asked = commands.add_parser("ask", help="查一个指标 / ask for a metric")
    asked.add_argument("metric")
    asked.add_argument("--as-of", required=True, type=date_of, metavar="DATE", help="month end, YYYY-MM-DD")
    asked.add_argument("--by", default="", help="splits, comma separated")
    asked.add_argument("--where", nargs="+", action="extend", default=[], metavar="col=value[,value]")
    asked.add_argument("--scheme", default="abcd")
    asked.add_argument(
        "--opening",
        type=int,
        default=3,
        help="class so many months before (0, 1, 3, 12); 0 is the class of the day itself",
    )
    asked.add_argument("--last", type=int, default=1, help="number of month ends up to the date")
    asked.add_argument("--compare", choices=COMPARISONS)
    asked.add_argument("--targets", action="store_true", help="target and red line beside each value")
    asked.add_argument("--sql", action="store_true", help="print the SQL instead of the answer")
    housed(asked)
    formatted(asked)
    asked.set_defaults(run=_ask)
    analysis.add(commands)
    rulebooks.add(commands)
    segments.add(commands)
    return parser


def _ask(given: argparse.Namespace) -> None:
    question = Question(
        given.metric,
        given.as_of,
        by=tuple(name.strip() for name in given.by.split(",") if name.strip()),
        where=tuple(filter_of(text) for text in given.where),
        scheme=given.scheme,
        opening=given.opening,
        last=given.last,
        compare=given.compare,
    )
    bank = Warehouse(given.home)
    if given.sql:
        print(sql_of(bank, question))
    else:
        show((beside if given.targets else ask)(bank, question), given.format)


def _metrics(given: argparse.Namespace) -> None:
    listed = [
        {
            "metric": metric.id,
            "zh-CN": metric.name["zh-CN"],
            "en": metric.name["en"],
            "unit": metric.unit,
            "better": metric.better,
            "splits": ",".join(
                [
                    *(["class"] if metric.may_split(None) else []),
                    *(s.id for s in SPLITS.values() if metric.may_split(s)),
                ]
            ),
        }
        for metric in METRICS.values()
        if not metric.retired
    ]
    show(pd.DataFrame(listed), given.format)


if __name__ == "__main__":
    sys.exit(main())
