"""python -m analytics: every figure of a page, asked for without a browser."""

from __future__ import annotations

import argparse
import json
import os
import sys
from datetime import date
from pathlib import Path

import pandas as pd

from analytics.declared import METRICS, SPLITS
from analytics.metrics import COMPARISONS, Question, ask, sql_of
from data.engine import Bank, Refused

HOME = Path(__file__).resolve().parents[1] / ".bank" / "home"


class _Parser(argparse.ArgumentParser):
    def error(self, message: str):
        raise Refused(f"{message}. See `{self.prog} --help`.")


def main(argv: list[str] | None = None) -> int:
    """Exit code 0, or 2 with one line on stderr for a question that cannot be asked or answered."""
    try:
        given = _parser().parse_args(argv)
        given.run(given)
    except Refused as refusal:
        print(" ".join(str(refusal).split()), file=sys.stderr)
        return 2
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="python -m analytics", description="指标问答 / every figure of the product")
    commands = parser.add_subparsers(dest="command", required=True, parser_class=_Parser)
    listed = commands.add_parser("metrics", help="列出指标与拆分维度 / list the metrics and splits")
    _formatted(listed)
    listed.set_defaults(run=_metrics)
    asked = commands.add_parser("ask", help="查一个指标 / ask for a metric")
    asked.add_argument("metric")
    asked.add_argument("--as-of", required=True, type=_date, metavar="DATE", help="month end, YYYY-MM-DD")
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
    asked.add_argument("--sql", action="store_true", help="print the SQL instead of the answer")
    asked.add_argument("--home", type=Path, default=Path(os.environ.get("LOAN_PANORAMA_HOME", HOME)))
    _formatted(asked)
    asked.set_defaults(run=_ask)
    return parser


def _formatted(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--format", choices=("table", "csv", "json"), default="table")


def _ask(given: argparse.Namespace) -> None:
    question = Question(
        given.metric,
        given.as_of,
        by=tuple(name.strip() for name in given.by.split(",") if name.strip()),
        where=tuple(_filter(text) for text in given.where),
        scheme=given.scheme,
        opening=given.opening,
        last=given.last,
        compare=given.compare,
    )
    bank = Bank(given.home)
    if given.sql:
        print(sql_of(bank, question))
    else:
        show(ask(bank, question), given.format)


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


def show(frame: pd.DataFrame, form: str) -> None:
    """Print a frame as an aligned table, CSV, or JSON (a list of objects; dates as YYYY-MM-DD, gaps as null)."""
    dated = frame.assign(
        **{c: frame[c].dt.strftime("%Y-%m-%d") for c in frame.columns if pd.api.types.is_datetime64_any_dtype(frame[c])}
    )
    if form == "json":
        cells = dated.astype(object).where(dated.notna(), None)
        print(json.dumps(cells.to_dict("records"), ensure_ascii=False, indent=1))
    elif form == "csv":
        print(dated.to_csv(index=False), end="")
    else:
        print(dated.to_string(index=False) if len(dated) else "(no rows)")


def _filter(text: str) -> tuple[str, tuple[str, ...]]:
    name, sign, values = text.partition("=")
    if not sign or not name or not values:
        raise Refused(f"过滤条件应为 列=值。A filter is written col=value, not {text!r}.")
    return name, tuple(values.split(","))


def _date(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"日期应为 YYYY-MM-DD。{text!r} is no date YYYY-MM-DD") from None


if __name__ == "__main__":
    sys.exit(main())
