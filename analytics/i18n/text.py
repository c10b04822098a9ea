"""Interface text in both languages, and number and date formats.

The names of a declared item are in its declaration, not here.
"""

from __future__ import annotations

import math
import tomllib
from dataclasses import dataclass
from datetime import date
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

from babel import Locale
from babel.dates import format_date
from babel.numbers import format_decimal, format_percent, get_currency_name

LANGUAGES = ("zh-CN", "en")
# Parsed once: Babel would parse the name for every number, half of the time of a page.
_BABEL = {"zh-CN": Locale.parse("zh_CN"), "en": Locale.parse("en")}
_LOCALES = Path(__file__).parent / "locales"
NOTHING = "—"


@cache
def words(lang: str) -> dict[str, str]:
    """Return all interface text of one language: dotted key → text with `{name}` placeholders.

    Raises ValueError when the language is not one of LANGUAGES.
    """
    if lang not in LANGUAGES:
        raise ValueError(f"Unknown language {lang!r}; choose one of {', '.join(LANGUAGES)}.")
    return _flatten(tomllib.loads((_LOCALES / f"{lang}.toml").read_text("utf-8")))


def _flatten(table: dict[str, Any], prefix: str = "") -> dict[str, str]:
    texts: dict[str, str] = {}
    for key, entry in table.items():
        if isinstance(entry, dict):
            texts |= _flatten(entry, f"{prefix}{key}.")
        else:
            texts[f"{prefix}{key}"] = entry
    return texts


def say(key: str, lang: str, **values: object) -> str:
    """Return the text of a key with its placeholders filled. Raises KeyError if unknown."""
    return words(lang)[key].format(**values)


def is_missing(value: object) -> bool:
    """Whether there is nothing to print: None, NaN, NaT or infinite."""
    if isinstance(value, float):
        return not math.isfinite(value)
    return value is None or value != value


_MONEY = {
    "zh-CN": ((1e12, "万亿"), (1e8, "亿"), (1e4, "万"), (1.0, "")),
    "en": ((1e12, "T"), (1e9, "bn"), (1e6, "M"), (1e3, "K"), (1.0, "")),
}


def number(value: float | None, unit: str, lang: str, *, tick: bool = False) -> str:
    """Format a value in the unit of its metric.

    rate as a per cent with two decimals, money in 万 / 亿 or K / M / bn, count with separators,
    number with two decimals, days with none. A `tick` of an axis drops trailing zeros.
    """
    if value is None or is_missing(value):
        return NOTHING
    amount = float(value)
    decimals = "#,##0.##" if tick else "#,##0.00"
    if unit == "rate":
        formatted = format_percent(amount, format=f"{decimals}%", locale=_BABEL[lang])
    elif unit == "money":
        formatted = _money(amount, lang, decimals)
    else:
        pattern = "#,##0" if unit in ("count", "days") else decimals
        formatted = format_decimal(amount, format=pattern, locale=_BABEL[lang])
    return _signed(formatted)


def _signed(formatted: str) -> str:
    """Write the minus sign, which a figure that rounds to zero does not have."""
    if not any(digit in formatted for digit in "123456789"):
        return formatted.replace("-", "")
    return formatted.replace("-", "−")


def _money(value: float, lang: str, decimals: str) -> str:
    """Format money in the largest unit that it reaches after rounding: 99,999,999 is 1.00亿."""
    units = _MONEY[lang]
    for (size, name), (below, _) in pairwise(units):
        if round(abs(value) / below, 2 if below > 1 else 0) >= size / below:
            return format_decimal(value / size, format=decimals, locale=_BABEL[lang]) + name
    return format_decimal(value, format="#,##0", locale=_BABEL[lang])


def exact(value: float | None, unit: str, lang: str) -> str:
    """Format a value for a list: money to the fen, everything else as `number` does."""
    if unit == "money" and value is not None and not is_missing(value):
        return _signed(format_decimal(value, format="#,##0.00", locale=_BABEL[lang]))
    return number(value, unit, lang)


@dataclass(frozen=True)
class Change:
    """A formatted change.

    Attributes
    ----------
    arrow
        ▲ up, ▼ down, ▬ unchanged: readable without the colour.
    verdict
        good, bad or plain, by the metric's direction; plain where it rounds to nothing.
    """

    arrow: str
    words: str
    verdict: str

    def __str__(self) -> str:
        return self.words if self.arrow == "▬" else f"{self.arrow} {self.words}".strip()


def change(value: float | None, unit: str, better: str, lang: str, *, bare: bool = False) -> Change:
    """Format a change with its sign: of a rate in percentage points, else in its own unit.

    `better` is the metric's direction: lower, higher or neither. With `bare` percentage points have
    no unit, because the header of the column has it.
    """
    if value is None or is_missing(value):
        return Change("", NOTHING, "plain")
    if unit == "rate":
        size = format_decimal(abs(value) * 100, format="0.00", locale=_BABEL[lang])
    else:
        size = number(abs(value), unit, lang)
    points = say("unit.points", lang) if unit == "rate" and not bare else ""
    if not size.strip("0.,"):
        return Change("▬", f"±{size}{points}", "plain")
    is_down = value < 0
    verdict = "plain"
    if better != "neither":
        verdict = "good" if is_down == (better == "lower") else "bad"
    if is_down:
        return Change("▼", f"−{size}{points}", verdict)
    return Change("▲", f"+{size}{points}", verdict)


def currency_name(code: str, lang: str) -> str:
    """Return the name of a currency: 人民币 CNY, Chinese Yuan CNY."""
    return f"{get_currency_name(code, locale=_BABEL[lang])} {code}"


def currency_unit(code: str, lang: str) -> str:
    """Return a currency as the unit of an amount: 元 or CNY, 美元 or USD."""
    if lang == "en":
        return code
    return "元" if code == "CNY" else get_currency_name(code, locale=_BABEL[lang])


def day(value: date | str, lang: str) -> str:
    """Format a date in full: 2026年10月31日, 31 Oct 2026."""
    parsed = date.fromisoformat(str(value)[:10])
    return format_date(parsed, "y年M月d日" if lang == "zh-CN" else "d MMM y", locale=_BABEL[lang])


def month(value: date | str, lang: str, *, short: bool = False) -> str:
    """Format a month: 2026年10月, Oct 2026; short 26-10, Oct 26."""
    parsed = date.fromisoformat(str(value)[:10])
    pattern = {"zh-CN": ("y年M月", "yy-MM"), "en": ("MMM y", "MMM yy")}[lang][short]
    return format_date(parsed, pattern, locale=_BABEL[lang])


def listing(items: list[str], lang: str) -> str:
    """Join several names: 甲、乙 or a, b."""
    return ("、" if lang == "zh-CN" else ", ").join(items)
