"""What the commands of analysis share: options, the request, and how an answer is printed."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from types import ModuleType
from typing import Any

import click
import pandas as pd

from analytics.cli.options import (
    DATE,
    POSITIVE,
    WHOLE,
    Decorator,
    Filters,
    aligned,
    as_of_option,
    by_option,
    command,
    csv_text,
    dated,
    filter_of,
    format_option,
    home_option,
    scheme_option,
    where_option,
    without_negative_zero,
)
from analytics.metrics.question import Question
from analytics.rulebooks.schemes import OPENINGS
from data.command_line import RepeatedOption
from data.editions.reader import Warehouse

Answer = tuple[dict[str, Any], dict[str, pd.DataFrame]]
"""Single figures by name, and frames by title."""


@dataclass(frozen=True)
class Request:
    """What the common options of a command ask for.

    Attributes
    ----------
    earlier
        The month end of --from; None for commands without it.
    """

    warehouse: Warehouse
    question: Question
    earlier: date | None

    @property
    def before(self) -> date:
        """The month end of --from."""
        if self.earlier is None:
            raise ValueError("the command has no option --from")
        return self.earlier

    @property
    def pair(self) -> dict[str, Any]:
        """The two month ends for the head of an answer."""
        return {"from": self.before, "to": self.question.as_of}

    @property
    def head(self) -> dict[str, Any]:
        """Metric and month ends for the head of an answer."""
        return {"metric": self.question.metric} | self.pair


def analysis_command(
    name: str,
    words: str,
    *options: Decorator,
    metric: bool = False,
    pair: bool = False,
    by: bool = False,
) -> Callable[[Callable[..., Answer]], click.Command]:
    """Make a command of a function that takes a Request and its own options.

    Parameters
    ----------
    metric, pair, by
        Whether the command has the argument METRIC, the options --from and --to instead of --as-of,
        and the option --by.
    """
    argument = [click.argument("metric")] if metric else []
    months = _pair_options() if pair else [as_of_option(True, "--to")]
    dimension = [by_option("a dimension, or class")] if by else []
    opening = click.option(
        "--opening",
        type=click.Choice([0, *OPENINGS]),
        default=3,
        show_default=True,
        help="months before, of a class",
    )
    common = [where_option(), scheme_option(), opening, home_option(), format_option()]

    def decorate(function: Callable[..., Answer]) -> click.Command:
        def run(
            as_of: date,
            where: Filters,
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
            head, frames = function(Request(Warehouse(home), question, before), **own)
            _print(head, frames, format)

        return command(name, words, *argument, *months, *dimension, *common, *options)(run)

    return decorate


def _pair_options() -> list[Decorator]:
    before = click.option(
        "--from", "before", required=True, type=DATE, metavar="DATE", help="earlier month end"
    )
    after = click.option(
        "--to",
        "--as-of",
        "as_of",
        required=True,
        type=DATE,
        metavar="DATE",
        help="second month end",
    )
    return [before, after]


def limit_options() -> tuple[Decorator, ...]:
    """Give a command --limit and --offset."""
    return (
        click.option("--limit", type=POSITIVE, default=200, help="rows of a list"),
        click.option("--offset", type=WHOLE, default=0, help="rows of a list to pass over"),
    )


def cell_options(example: str) -> tuple[Decorator, ...]:
    """Give a command --cell, --limit and --offset."""
    cell = click.option(
        "--cell",
        cls=RepeatedOption,
        callback=_cell,
        metavar="name=code …",
        help=f"the list of a cell: {example}",
    )
    return cell, *limit_options()


def _cell(
    _context: click.Context, _option: click.Parameter, texts: Iterable[str]
) -> dict[str, str]:
    pairs = (filter_of(text) for text in texts)
    return {name: ",".join(codes) for name, codes in pairs}


def list_of(
    request: Request,
    topic: ModuleType,
    query: Any,
    cell: Mapping[str, str],
    limit: int,
    offset: int,
) -> Answer:
    """Return the rows behind one cell; `topic` is a module with count_rows and list_rows."""
    count = topic.count_rows(request.warehouse, query, cell)
    return {"n": count}, {"list": topic.list_rows(request.warehouse, query, cell, limit, offset)}


def _print(head: Mapping[str, Any], frames: Mapping[str, pd.DataFrame], form: str) -> None:
    """Print single figures and frames as text, as CSV (the first frame), or as one JSON object."""
    plain = {name: _plain(value) for name, value in head.items()}
    if form == "json":
        records = {name: _records(frame) for name, frame in frames.items()}
        print(json.dumps(plain | records, ensure_ascii=False, indent=1))
        return
    if form == "csv":
        for frame in list(frames.values())[:1] or [pd.DataFrame([plain])]:
            print(csv_text(frame), end="")
        return
    if plain:
        print("\n".join(f"{name}: {value}" for name, value in plain.items()))
    has_titles = bool(plain) or len(frames) > 1
    for name, frame in frames.items():
        if has_titles:
            print(f"\n{name}")
        print(aligned(frame))


def _plain(value: Any) -> Any:
    """Return a figure as JSON has it.

    Dates become text, decimals and numpy numbers become numbers, missing and infinite values None.
    """
    if isinstance(value, date):
        return value.isoformat()
    if value is None or isinstance(value, (str, bool)):
        return value
    number = float(value)
    if not math.isfinite(number):
        return None
    if number.is_integer() and not isinstance(value, float):
        return int(number)
    return number + 0.0


def _records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    cells = dated(without_negative_zero(frame)).astype(object)
    cells = cells.where(cells.notna(), None)
    return [
        {name: _plain(value) for name, value in row.items()} for row in cells.to_dict("records")
    ]
