"""Interface words in both languages, and how a number is written. Words of a declared thing live beside the thing."""

from __future__ import annotations

import math
import tomllib
from dataclasses import dataclass
from datetime import date
from functools import cache
from itertools import pairwise
from pathlib import Path

from babel import Locale
from babel.dates import format_date
from babel.numbers import format_decimal, format_percent

LANGUAGES = ("zh-CN", "en")
# Parsed once: Babel parses a name anew at every number, which took half the time of a page.
_BABEL = {"zh-CN": Locale.parse("zh_CN"), "en": Locale.parse("en")}
_LOCALES = Path(__file__).parent / "locales"
NOTHING = "—"


@cache
def words(lang: str) -> dict[str, str]:
    """All interface words of one language: dotted key → text with `{name}` places.

    Raises ValueError when the language is not one of LANGUAGES.
    """
    if lang not in LANGUAGES:
        raise ValueError(f"Unknown language {lang!r}; choose one of {', '.join(LANGUAGES)}.")

    def flat(table: dict, prefix: str) -> dict[str, str]:
        found: dict[str, str] = {}
        for key, entry in table.items():
            found |= (
                flat(entry, f"{prefix}{key}.")
                if isinstance(entry, dict)
                else {f"{prefix}{key}": entry}
            )
        return found

    return flat(tomllib.loads((_LOCALES / f"{lang}.toml").read_text("utf-8")), "")


def say(key: str, lang: str, **values: object) -> str:
    """The words behind a dotted key, with values put into their places. Raises KeyError when the key is unknown."""
    return words(lang)[key].format(**values)


def is_missing(value: object) -> bool:
    """Whether there is nothing to print: None, NaN or infinite."""
    return (
        value is None or (isinstance(value, float) and not math.isfinite(value)) or value != value
    )


_MONEY = {
    "zh-CN": ((1e12, "万亿"), (1e8, "亿"), (1e4, "万"), (1.0, "")),
    "en": ((1e12, "T"), (1e9, "bn"), (1e6, "M"), (1e3, "K"), (1.0, "")),
}


def number(value: float | None, unit: str, lang: str, *, tick: bool = False) -> str:
    """A value in the unit of its metric: rate as a per cent with two decimals, money in 万 / 亿 or K / M / bn,
    count with separators, number with two decimals, days with none. An axis `tick` drops trailing zeros."""
    if is_missing(value):
        return NOTHING
    value, decimals = float(value) + 0.0, "#,##0.##" if tick else "#,##0.00"
    if unit == "rate":
        said = format_percent(value, format=f"{decimals}%", locale=_BABEL[lang])
    elif unit == "money":
        said = _money(value, lang, decimals)
    else:
        said = format_decimal(
            value, format="#,##0" if unit in ("count", "days") else decimals, locale=_BABEL[lang]
        )
    return said.replace("-", "−")


def _money(value: float, lang: str, decimals: str) -> str:
    """Money in the largest unit it fills once rounded: 99,999,999 is 1.00亿, not 10,000.00万."""
    units = _MONEY[lang]
    for (size, name), (below, _) in pairwise(units):
        if round(abs(value) / below, 2 if below > 1 else 0) >= size / below:
            return format_decimal(value / size, format=decimals, locale=_BABEL[lang]) + name
    return format_decimal(value, format="#,##0", locale=_BABEL[lang])


def exact(value: float | None, unit: str, lang: str) -> str:
    """A value as a list prints it: money to the cent, everything else as `number` does."""
    if unit == "money" and not is_missing(value):
        return format_decimal(value, format="#,##0.00", locale=_BABEL[lang]).replace("-", "−")
    return number(value, unit, lang)


@dataclass(frozen=True)
class Change:
    """A change as it is printed. `arrow` is ▲ up, ▼ down, ▬ unchanged: the sign for those who do not see the colour;
    `verdict` is good, bad or plain by the metric's declared direction; a change that rounds to nothing is plain."""

    arrow: str
    words: str
    verdict: str

    def __str__(self) -> str:
        return f"{'' if self.arrow == '▬' else self.arrow} {self.words}".strip()


def change(value: float | None, unit: str, better: str, lang: str, *, bare: bool = False) -> Change:
    """A change with its sign: of a rate in percentage points (never per cent of per cent), else in its own unit.

    `better` is the metric's direction: lower, higher or neither. `bare` leaves the unit of points to the header.
    """
    if is_missing(value):
        return Change("", NOTHING, "plain")
    value = float(value)
    if unit == "rate":
        size = format_decimal(abs(value) * 100, format="0.00", locale=_BABEL[lang])
    else:
        size = number(abs(value), unit, lang)
    way = 0 if not size.strip("0.,") else 1 if value > 0 else -1
    sign, arrow = {1: ("+", "▲"), -1: ("−", "▼"), 0: ("±", "▬")}[way]
    points = say("unit.points", lang) if unit == "rate" and not bare else ""
    verdict = (
        "plain"
        if way == 0 or better == "neither"
        else "good"
        if (way < 0) == (better == "lower")
        else "bad"
    )
    return Change(arrow, f"{sign}{size}{points}", verdict)


def day(value: date | str, lang: str) -> str:
    """A date in full: 2026年10月31日, 31 Oct 2026."""
    value = date.fromisoformat(str(value)[:10])
    return format_date(value, "y年M月d日" if lang == "zh-CN" else "d MMM y", locale=_BABEL[lang])


def month(value: date | str, lang: str, *, short: bool = False) -> str:
    """A month: 2026年10月, Oct 2026; short 26-10, Oct 26."""
    value = date.fromisoformat(str(value)[:10])
    pattern = {"zh-CN": ("y年M月", "yy-MM"), "en": ("MMM y", "MMM yy")}[lang][short]
    return format_date(value, pattern, locale=_BABEL[lang])


def listing(items: list[str], lang: str) -> str:
    """Several names in a row: 甲、乙 or a, b."""
    return ("、" if lang == "zh-CN" else ", ").join(items)
