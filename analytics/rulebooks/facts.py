"""The facts a rule may use: the contract's columns plus what the marts compute
(data/rulebooks/facts.toml).
"""

from __future__ import annotations

import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

from analytics.rulebooks.errors import FactError, RulebookError

TYPES = ("int", "number", "money", "rate", "bool", "code")
STEPS = {
    "int": Decimal(1),
    "money": Decimal("0.01"),
    "rate": Decimal("0.0001"),
    "number": Decimal("0.01"),
}
# Decimals of money and rate in the marts; a finer threshold could never be met exactly.
DIGITS = {"int": 0, "money": 2, "rate": 6}
GRAIN_TABLES = {"customer": "customer", "loan": "loan"}
KEYS = {"type", "step", "unit", "zh", "en", "how", "order", "scheme"}


@dataclass(frozen=True, slots=True)
class Fact:
    """One fact of a customer or a loan: a column of customer_month or loan_month.

    `values` are the codes of a `code` fact as declared; `ascending` the same from low to high where
    an order is declared, else (). `unknown` is the code for "not known". `step` is the smallest
    change that counts.
    """

    name: str
    type: str
    zh: str
    en: str
    unit_zh: str = ""
    unit_en: str = ""
    how: str = ""
    step: Decimal = Decimal(1)
    values: tuple[str, ...] = ()
    ascending: tuple[str, ...] = ()
    unknown: str = ""
    labels: Mapping[str, tuple[str, str]] = field(default_factory=dict, compare=False)

    @property
    def is_numeric(self) -> bool:
        """True for int, number, money and rate."""
        return self.type not in ("bool", "code")

    def words(self, lang: str) -> str:
        """The fact's name in `lang` ("zh" or "en")."""
        return self.zh if lang == "zh" else self.en

    def unit(self, lang: str) -> str:
        """The fact's unit in `lang`, empty where it has none."""
        return self.unit_zh if lang == "zh" else self.unit_en

    def value_words(self, value: Any, lang: str) -> str:
        """A literal or value of the fact as an officer reads it: a code by its name, a number as it
        is written.
        """
        if isinstance(value, bool):
            return ("是" if value else "否") if lang == "zh" else ("yes" if value else "no")
        if value in self.labels:
            return self.labels[value][0 if lang == "zh" else 1]
        if isinstance(value, (float, Decimal)):
            return format(Decimal(str(value)).normalize(), "f")
        return str(value)

    def normal(self, value: Any) -> Any:
        """`value` as the rules compare it, or None where it is missing (None, NaN, NA, the unknown
        code).

        int → int, number → float, money and rate → Decimal, bool → bool, code → str. Raises
        FactError for a value of another type.
        """
        if is_missing(value):
            return None
        value = (
            value.item()
            if hasattr(value, "item") and not isinstance(value, (str, Decimal))
            else value
        )
        if self.type == "bool":
            return value if isinstance(value, bool) else self._refuse("must_be_bool")
        if self.type == "code":
            if not isinstance(value, str) or (value not in self.values and value != self.unknown):
                self._refuse("must_be_code", values=self.values)
            return None if value == self.unknown else value
        if isinstance(value, bool) or not isinstance(value, (int, float, Decimal)):
            self._refuse("must_be_number")
        if self.type == "number":
            return float(value)
        exact = Decimal(str(value))
        if not exact.is_finite() or -exact.normalize().as_tuple().exponent > DIGITS[self.type]:
            self._refuse("must_be_exact", digits=DIGITS[self.type])
        return int(exact) if self.type == "int" else exact

    def read(self, text: str) -> Any:
        """A value written as text (one field of a CSV file) as `normal` gives it; empty text is
        missing. Raises FactError.
        """
        text = text.strip()
        if not text:
            return None
        if self.type == "bool":
            known = {"true": True, "false": False, "1": True, "0": False, "是": True, "否": False}
            return known[text.lower()] if text.lower() in known else self._refuse("must_be_bool")
        if self.type == "code":
            return self.normal(text)
        try:
            return self.normal(Decimal(text))
        except InvalidOperation:
            return self._refuse("must_be_number")

    def _refuse(self, key: str, /, **fields: Any) -> None:
        raise FactError(self.name, key, words={"zh": self.zh, "en": self.en}, **fields)


SCORE = Fact("score", "int", "评分", "Score", "分", "points")


def is_missing(value: Any) -> bool:
    """True for None, NaN, pandas.NA and NaT: a fact that is not known."""
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return True
    if isinstance(value, Decimal):
        return value.is_nan()
    try:
        return math.isnan(value)
    except TypeError:
        return False


def read_facts(
    folder: Path, contract: Path, scheme_codes: Mapping[str, Mapping[str, tuple[str, str]]] | None
) -> dict[str, dict[str, Fact]]:
    """The facts by grain ("customer", "loan") and name.

    `folder` holds facts.toml, `contract` is contract.toml, `scheme_codes` gives the class codes and
    names (best to worst, without the unrated one) of the schemes whose class is itself a fact; None
    leaves such facts out (the schemes that grade loans are read without them). Raises RulebookError
    for a declaration that makes no sense.
    """
    tables = tomllib.loads(contract.read_text(encoding="utf-8"))["table"]
    path = folder / "facts.toml"
    try:
        declared = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise RulebookError("cannot_be_read", path.name, error=error) from error
    labels = read_labels(folder)
    facts = {
        grain: _contract_facts(tables[table]["column"], labels)
        for grain, table in GRAIN_TABLES.items()
    }
    for grain, entries in declared.items():
        if grain not in facts:
            raise RulebookError("unknown_grain", path.name, grain=grain)
        for name, entry in entries.items():
            if scheme_codes is None and "scheme" in entry:
                continue
            facts[grain][name] = _fact(name, entry, facts[grain].get(name), scheme_codes)
    return facts


def read_labels(folder: Path) -> dict[str, dict[str, tuple[str, str]]]:
    """The words of codes by column: code → (zh, en). A folder without codes.toml has none."""
    path = folder / "codes.toml"
    if not path.exists():
        return {}
    try:
        declared = tomllib.loads(path.read_text(encoding="utf-8"))
        return {
            column: {code: (zh, en) for code, (zh, en) in codes.items()}
            for column, codes in declared.items()
        }
    except (OSError, ValueError, AttributeError) as error:
        raise RulebookError("cannot_be_read", path.name, error=error) from error


def _contract_facts(
    columns: Mapping[str, Mapping[str, Any]], labels: Mapping[str, Mapping[str, tuple[str, str]]]
) -> dict[str, Fact]:
    facts = {}
    for name, column in columns.items():
        if column["type"] not in TYPES:
            continue
        unit = ("元", "CNY") if column["type"] == "money" else ("", "")
        facts[name] = Fact(
            name=name,
            type=column["type"],
            zh=column["zh"],
            en=column["en"],
            unit_zh=unit[0],
            unit_en=unit[1],
            step=STEPS.get(column["type"], Decimal(1)),
            values=tuple(column.get("values", ())),
            unknown="other",
            labels=labels.get(name, {}),
        )
    return facts


def _fact(
    name: str,
    entry: Mapping[str, Any],
    known: Fact | None,
    scheme_codes: Mapping[str, Mapping] | None,
) -> Fact:
    def refuse(key: str, /, **fields: Any) -> None:
        raise RulebookError(key, "facts.toml", fact=name, **fields)

    if extra := set(entry) - KEYS:
        refuse("fact_unknown_key", extra=sorted(extra)[0])
    if known is None:
        if missing := {"type", "zh", "en", "how"} - set(entry):
            refuse("fact_needs", missing=sorted(missing)[0])
        if entry["type"] not in TYPES:
            refuse("fact_type", types=TYPES)
        known = Fact(
            name,
            entry["type"],
            entry["zh"],
            entry["en"],
            how=entry["how"],
            step=STEPS.get(entry["type"], Decimal(1)),
        )
    elif "type" in entry:
        refuse("fact_of_contract")
    else:
        # the rules speak of it more briefly than the contract, which explains its codes in the name
        known = replace(known, zh=entry.get("zh", known.zh), en=entry.get("en", known.en))
    unit = entry.get("unit", {})
    if unit:
        known = replace(known, unit_zh=unit["zh"], unit_en=unit["en"])
    if "step" in entry:
        known = replace(known, step=Decimal(str(entry["step"])))
    if "scheme" in entry:
        if entry["scheme"] not in scheme_codes:
            refuse("fact_scheme", scheme=entry["scheme"])
        classes = scheme_codes[entry["scheme"]]
        known = replace(known, values=tuple(classes), unknown="unrated", labels=classes)
    if known.type == "code" and not known.values:
        refuse("fact_values")
    if "order" in entry:
        order = {"low_to_high": known.values, "high_to_low": known.values[::-1]}.get(entry["order"])
        if order is None or known.type != "code":
            refuse("fact_order")
        known = replace(known, ascending=order)
    return known
