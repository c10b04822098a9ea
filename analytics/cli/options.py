"""What the commands of `python -m analytics` share: the parser, common options, and how a frame is printed."""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pandas as pd

from data.errors import InvalidRequest, UserError

HOME = Path(__file__).resolve().parents[2] / ".bank" / "home"


class Parser(argparse.ArgumentParser):
    """Wrong use is refused like everything else: one line, exit code 2."""

    def error(self, message: str):
        raise InvalidRequest("wrong_usage", message=message, prog=self.prog)


def formatted(parser: argparse.ArgumentParser) -> None:
    """Give a command --format."""
    parser.add_argument("--format", choices=("table", "csv", "json"), default="table")


def housed(parser: argparse.ArgumentParser) -> None:
    """Give a command --home, where the editions lie."""
    parser.add_argument("--home", type=Path, default=Path(os.environ.get("LOAN_PANORAMA_HOME", HOME)))


def date_of(text: str) -> date:
    """A date of the command line."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"日期应为 YYYY-MM-DD。{text!r} is no date YYYY-MM-DD") from None


def filter_of(text: str) -> tuple[str, tuple[str, ...]]:
    """A filter of the command line, col=value[,value]. Raises UserError."""
    name, sign, values = text.partition("=")
    if not sign or not name or not values:
        raise UserError("filter_syntax", text_=text)
    return name, tuple(values.split(","))


def whole(text: str) -> int:
    """A number of the command line, from 0."""
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"应为非负整数。{text!r} is no whole number")
    return int(text)


def positive(text: str) -> int:
    """A number of the command line, from 1."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"应为正整数。{text!r} is no whole number above zero")
    return int(text)


def show(frame: pd.DataFrame, form: str) -> None:
    """Print a frame as an aligned table, CSV, or JSON (a list of objects; dates as YYYY-MM-DD, gaps as null)."""
    if form == "json":
        cells = dated(frame).astype(object)
        print(json.dumps(cells.where(cells.notna(), None).to_dict("records"), ensure_ascii=False, indent=1))
    elif form == "csv":
        print(dated(frame).to_csv(index=False), end="")
    else:
        print(aligned(frame))


def dated(frame: pd.DataFrame) -> pd.DataFrame:
    """The frame with its times as YYYY-MM-DD."""
    stamps = [name for name in frame if pd.api.types.is_datetime64_any_dtype(frame[name])]
    return frame.assign(**{name: frame[name].dt.strftime("%Y-%m-%d") for name in stamps})


def aligned(frame: pd.DataFrame) -> str:
    """A frame as text for people: thousands apart, whole numbers without decimals, gaps as a dash."""
    if not len(frame):
        return "(no rows)"
    numbers = [name for name in frame.select_dtypes("number") if not name.endswith("_key")]
    return dated(frame).to_string(index=False, na_rep="—", formatters={name: _written(frame[name]) for name in numbers})


def _written(column: pd.Series) -> Callable[[float], str]:
    told = column.dropna().astype(float)
    places = 0 if (told % 1 == 0).all() else 2 if (told.abs() >= 1000).any() else 6
    return lambda value: "—" if pd.isna(value) else f"{value:,.{places}f}"
