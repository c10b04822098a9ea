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
from typing import Any, NoReturn

from analytics.rulebooks.errors import FactError, RulebookError
from data.declarations import BadDeclaration, Declaration, convert_entries, read_toml

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
Names = Mapping[str, str]
"""One text by language, `zh-CN` and `en`."""


def by_language(zh: str, en: str) -> dict[str, str]:
    """Return one text by language; rulebook files use the keys zh and en."""
    return {"zh-CN": zh, "en": en}


class UnitEntry(Declaration, frozen=True):
    """The unit of a fact as declared."""

    zh: str
    en: str


class FactEntry(Declaration, frozen=True):
    """One fact as declared in facts.toml: a fact of the marts, or changes to a contract column."""

    type: str | None = None
    step: int | float | None = None
    unit: UnitEntry | None = None
    zh: str | None = None
    en: str | None = None
    how: str | None = None
    order: str | None = None
    scheme: str | None = None


@dataclass(frozen=True, slots=True)
class Fact:
    """One fact of a customer or a loan: a column of customer_month or loan_month.

    `values` are the codes of a `code` fact as declared; `ascending` the same from low to high where
    an order is declared, else (). `unknown` is the code for "not known". `step` is the smallest
    change that counts.
    """

    name: str
    type: str
    names: Names = field(hash=False)
    units: Names = field(default_factory=dict, hash=False)
    how: str = ""
    step: Decimal = Decimal(1)
    values: tuple[str, ...] = ()
    ascending: tuple[str, ...] = ()
    unknown: str = ""
    labels: Mapping[str, Names] = field(default_factory=dict, compare=False)

    @property
    def is_numeric(self) -> bool:
        """True for int, number, money and rate."""
        return self.type not in ("bool", "code")

    def words(self, lang: str) -> str:
        """The fact's name in one language."""
        return self.names[lang]

    def unit(self, lang: str) -> str:
        """The fact's unit in `lang`, empty where it has none."""
        return self.units.get(lang, "")

    def value_words(self, value: Any, lang: str) -> str:
        """A literal or value of the fact as an officer reads it: a code by its name, a number as it
        is written.
        """
        if isinstance(value, bool):
            return BOOLEAN_WORDS[lang][value]
        if value in self.labels:
            return self.labels[value][lang]
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
        if hasattr(value, "item") and not isinstance(value, (str, Decimal)):
            value = value.item()
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
        exponent = exact.normalize().as_tuple().exponent
        # The exponent of NaN and infinity is a letter.
        if not isinstance(exponent, int) or -exponent > DIGITS[self.type]:
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
            if text.lower() not in _BOOLEANS:
                self._refuse("must_be_bool")
            return _BOOLEANS[text.lower()]
        if self.type == "code":
            return self.normal(text)
        try:
            return self.normal(Decimal(text))
        except InvalidOperation:
            return self._refuse("must_be_number")

    def _refuse(self, key: str, /, **fields: Any) -> NoReturn:
        fact_name = by_language(f"{self.name}（{self.names['zh-CN']}）", self.name)
        raise FactError(self.name, key, fact_name=fact_name, **fields)


SCORE = Fact("score", "int", by_language("评分", "Score"), by_language("分", "points"))
BOOLEAN_WORDS = {
    "zh-CN": {True: "是", False: "否"},
    "en": {True: "yes", False: "no"},
}
_BOOLEANS = {"true": True, "false": False, "1": True, "0": False, "是": True, "否": False}


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
    folder: Path, contract: Path, scheme_codes: Mapping[str, Mapping[str, Names]] | None
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
        declared = read_toml(path)
    except (OSError, BadDeclaration) as error:
        raise RulebookError("cannot_be_read", path.name, error=error) from error
    labels = read_labels(folder)
    facts = {
        grain: _contract_facts(tables[table]["column"], labels)
        for grain, table in GRAIN_TABLES.items()
    }
    for grain, entries in declared.items():
        if grain not in facts:
            raise RulebookError("unknown_grain", path.name, grain=grain)
        try:
            fact_entries = convert_entries(entries, FactEntry, path.name, grain)
        except BadDeclaration as error:
            raise RulebookError("passed_on", said=error) from error
        for name, entry in fact_entries.items():
            if scheme_codes is None and entry.scheme is not None:
                continue
            facts[grain][name] = _fact(name, entry, facts[grain].get(name), scheme_codes or {})
    return facts


def read_labels(folder: Path) -> dict[str, dict[str, Names]]:
    """The names of codes by column: code → names. A folder without codes.toml has none."""
    path = folder / "codes.toml"
    if not path.exists():
        return {}
    try:
        declared = tomllib.loads(path.read_text(encoding="utf-8"))
        return {
            column: {code: by_language(zh, en) for code, (zh, en) in codes.items()}
            for column, codes in declared.items()
        }
    except (OSError, ValueError, AttributeError) as error:
        raise RulebookError("cannot_be_read", path.name, error=error) from error


def _contract_facts(
    columns: Mapping[str, Mapping[str, Any]], labels: Mapping[str, Mapping[str, Names]]
) -> dict[str, Fact]:
    facts = {}
    for name, column in columns.items():
        if column["type"] not in TYPES:
            continue
        units = by_language("元", "CNY") if column["type"] == "money" else {}
        facts[name] = Fact(
            name=name,
            type=column["type"],
            names=by_language(column["zh"], column["en"]),
            units=units,
            step=STEPS.get(column["type"], Decimal(1)),
            values=tuple(column.get("values", ())),
            unknown="other",
            labels=labels.get(name, {}),
        )
    return facts


def _fact(
    name: str,
    entry: FactEntry,
    of_contract: Fact | None,
    scheme_codes: Mapping[str, Mapping[str, Names]],
) -> Fact:
    if of_contract is None:
        fact = _new_fact(name, entry)
    else:
        if entry.type is not None:
            _refuse_fact(name, "fact_of_contract")
        # The rules use a shorter name than the contract, whose name explains the codes.
        names = by_language(
            entry.zh or of_contract.names["zh-CN"], entry.en or of_contract.names["en"]
        )
        fact = replace(of_contract, names=names)
    if entry.unit is not None:
        fact = replace(fact, units=by_language(entry.unit.zh, entry.unit.en))
    if entry.step is not None:
        fact = replace(fact, step=Decimal(str(entry.step)))
    if entry.scheme is not None:
        if entry.scheme not in scheme_codes:
            _refuse_fact(name, "fact_scheme", scheme=entry.scheme)
        classes = scheme_codes[entry.scheme]
        fact = replace(fact, values=tuple(classes), unknown="unrated", labels=classes)
    if fact.type == "code" and not fact.values:
        _refuse_fact(name, "fact_values")
    return fact if entry.order is None else _ordered(fact, entry.order)


def _new_fact(name: str, entry: FactEntry) -> Fact:
    for key in ("en", "how", "type", "zh"):
        if getattr(entry, key) is None:
            _refuse_fact(name, "fact_needs", missing=key)
    if entry.type not in TYPES:
        _refuse_fact(name, "fact_type", types=TYPES)
    return Fact(
        name,
        entry.type,
        by_language(entry.zh or "", entry.en or ""),
        how=entry.how or "",
        step=STEPS.get(entry.type, Decimal(1)),
    )


def _ordered(fact: Fact, order: str) -> Fact:
    ascending = {"low_to_high": fact.values, "high_to_low": fact.values[::-1]}.get(order)
    if ascending is None or fact.type != "code":
        _refuse_fact(fact.name, "fact_order")
    return replace(fact, ascending=ascending)


def _refuse_fact(name: str, code: str, /, **fields: Any) -> NoReturn:
    raise RulebookError(code, "facts.toml", fact=name, **fields)
