"""What the commands of `python -m analytics` share: types, options, and how a frame is printed."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterable
from datetime import date
from pathlib import Path
from typing import Any

import click
import pandas as pd

from data.command_line import Command, RepeatedOption
from data.errors import InvalidRequest

HOME = Path(__file__).resolve().parents[2] / ".bank" / "home"
FORMATS = ("table", "csv", "json")
LANGUAGES = ("zh-CN", "en")

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]


class Date(click.ParamType):
    """A date written YYYY-MM-DD."""

    name = "date"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> date:
        """Return the date. Raises InvalidRequest."""
        if isinstance(value, date):
            return value
        try:
            return date.fromisoformat(value)
        except ValueError:
            raise InvalidRequest("not_a_date_option", value=value) from None


class WholeNumber(click.ParamType):
    """A number without sign and decimals, from `smallest`."""

    name = "number"

    def __init__(self, smallest: int) -> None:
        self.smallest = smallest

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return the number. Raises InvalidRequest."""
        if isinstance(value, int):
            return value
        if not value.isdecimal() or int(value) < self.smallest:
            code = "not_a_positive_number" if self.smallest else "not_a_whole_number"
            raise InvalidRequest(code, value=value)
        return int(value)


DATE = Date()
WHOLE = WholeNumber(0)
POSITIVE = WholeNumber(1)


def filter_of(text: str) -> tuple[str, tuple[str, ...]]:
    """Return name and codes of a filter `col=value[,value]`. Raises InvalidRequest.

    A code that holds a comma stands in double quotes, as in CSV; a double quote within it is
    doubled.
    """
    name, sign, values = text.partition("=")
    if not sign or not name or not values or "\n" in values or "\r" in values:
        raise InvalidRequest("filter_syntax", text_=text)
    try:
        (codes,) = csv.reader([values], strict=True)
    except csv.Error:
        raise InvalidRequest("filter_syntax", text_=text) from None
    return name, tuple(codes)


Filters = tuple[tuple[str, tuple[str, ...]], ...]
"""Name and codes of every filter."""


def filters(_context: click.Context, _option: click.Parameter, texts: Iterable[str]) -> Filters:
    """Read the values of --where."""
    return tuple(filter_of(text) for text in texts)


def dimensions(_context: click.Context, _option: click.Parameter, text: str) -> tuple[str, ...]:
    """Read the comma-separated value of --by."""
    return tuple(name.strip() for name in text.split(",") if name.strip())


def as_of_option(required: bool = True, *other_names: str) -> Decorator:
    """Give a command --as-of, also by `other_names`."""
    words = "month end, YYYY-MM-DD" + ("" if required else "; the newest unless given")
    names = ("--as-of", *other_names, "as_of")
    return click.option(*names, required=required, type=DATE, metavar="DATE", help=words)


def where_option() -> Decorator:
    """Give a command --where, once with several filters or several times."""
    return click.option(
        "--where",
        cls=RepeatedOption,
        callback=filters,
        metavar="col=value[,value] …",
        help="filters; a value that holds a comma stands in double quotes: 'branch_1=\"a,b\",c'",
    )


def by_option(words: str) -> Decorator:
    """Give a command --by."""
    return click.option("--by", default="", callback=dimensions, help=words)


def scheme_option() -> Decorator:
    """Give a command --scheme with the default scheme of the boards."""
    return click.option("--scheme", default="abcd", show_default=True)


def home_option() -> Decorator:
    """Give a command --home, the folder of the editions."""
    return click.option(
        "--home", type=click.Path(path_type=Path), default=HOME, envvar="LOAN_PANORAMA_HOME"
    )


def format_option() -> Decorator:
    """Give a command --format."""
    return click.option("--format", type=click.Choice(FORMATS), default="table", show_default=True)


def language_option(words: str = "language of names and reasons") -> Decorator:
    """Give a command --lang."""
    return click.option(
        "--lang", type=click.Choice(LANGUAGES), default=LANGUAGES[0], show_default=True, help=words
    )


def command(
    name: str, words: str, *options: Decorator
) -> Callable[[Callable[..., Any]], click.Command]:
    """Make a command of a function; the options come in the order in which help shows them."""

    def decorate(function: Callable[..., Any]) -> click.Command:
        for option in reversed(options):
            function = option(function)
        return click.command(name, cls=Command, help=words)(function)

    return decorate


def show(frame: pd.DataFrame, form: str) -> None:
    """Print a frame as an aligned table, as CSV, or as JSON.

    JSON is a list of objects; dates are written YYYY-MM-DD, missing values as null.
    """
    if form == "json":
        cells = dated(without_negative_zero(frame)).astype(object)
        records = cells.where(cells.notna(), None).to_dict("records")
        print(json.dumps(records, ensure_ascii=False, indent=1))
    elif form == "csv":
        print(csv_text(frame), end="")
    else:
        print(aligned(frame))


def csv_text(frame: pd.DataFrame) -> str:
    """Return a frame as CSV with its times written YYYY-MM-DD."""
    return dated(without_negative_zero(frame)).to_csv(index=False)


def without_negative_zero(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the frame with 0 in place of −0, which floating-point sums of nothing can give."""
    floats = frame.select_dtypes("float")
    return frame.assign(**{str(name): floats[name] + 0.0 for name in floats})


def dated(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the frame with its times written YYYY-MM-DD."""
    stamps = [name for name in frame if pd.api.types.is_datetime64_any_dtype(frame[name])]
    return frame.assign(**{name: frame[name].dt.strftime("%Y-%m-%d") for name in stamps})


def aligned(frame: pd.DataFrame) -> str:
    """Return a frame as text.

    Thousands are separated, whole numbers have no decimals, missing values are dashes.
    """
    if not len(frame):
        return "(no rows)"
    numbers = [name for name in frame.select_dtypes("number") if not name.endswith("_key")]
    formatters = {name: _number_format(frame[name]) for name in numbers}
    return dated(frame).to_string(index=False, na_rep="—", formatters=formatters)


def _number_format(column: pd.Series) -> Callable[[float], str]:
    values = column.dropna().astype(float)
    places = 6
    if (values % 1 == 0).all():
        places = 0
    elif (values.abs() >= 1000).any():
        places = 2
    return lambda value: "—" if pd.isna(value) else f"{value:z,.{places}f}"
