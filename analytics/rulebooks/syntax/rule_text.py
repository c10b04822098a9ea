"""Parse the text of one rule: `fact sign literal`, `fact between a and b`, `fact in [a, b]`."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from analytics.rulebooks.conditions import NO_NOTE, Note, Rule
from analytics.rulebooks.errors import RuleSyntaxError
from analytics.rulebooks.facts import DIGITS, Fact, by_language

SIGNS = ("!=", "<=", ">=", "=", "<", ">")
# what looks like half-width punctuation, digits or letters and is not
FULL_WIDTH = re.compile("[\uff01-\uff5e\u3000-\u3002\u2018\u2019\u201c\u201d\u2264\u2265\u2260]")
_COMPARE = re.compile(r"([a-z][a-z0-9_]*)\s*(!=|<=|>=|=|<|>)\s*(\S+)")
_BETWEEN = re.compile(r"([a-z][a-z0-9_]*)\s+between\s+(\S+)\s+and\s+(\S+)")
_IN = re.compile(r"([a-z][a-z0-9_]*)\s+(not\s+in|in)\s+\[([^\[\]]*)\]")
_NUMBER = re.compile(r"-?\d{1,15}(\.\d{1,6})?")
_CODE = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,39}")


def parse_rule(text: str, facts: Mapping[str, Fact], note: Note = NO_NOTE) -> Rule:
    """Reads `fact sign literal`, `fact between a and b`, `fact in [a, b]` or `fact not in [a, b]`.

    Bounds of `between` are inclusive. Raises RuleSyntaxError for an unknown fact, a sign that the
    fact's type does not have, a literal of the wrong type or not among the codes declared, and
    full-width punctuation.
    """
    if found := FULL_WIDTH.search(text):
        raise RuleSyntaxError("rule_full_width", character=found[0], text=text)
    if match := _BETWEEN.fullmatch(text.strip()):
        name, sign, literals = match[1], "between", [match[2], match[3]]
    elif match := _IN.fullmatch(text.strip()):
        name, sign, literals = (
            match[1],
            " ".join(match[2].split()),
            [part.strip() for part in match[3].split(",")],
        )
    elif match := _COMPARE.fullmatch(text.strip()):
        name, sign, literals = match[1], match[2], [match[3]]
    else:
        raise RuleSyntaxError("rule_unreadable", text=_short(text), signs=SIGNS)
    fact = facts.get(name)
    if fact is None:
        close = _near(name, facts)
        near = by_language(f"；是否应为 {close}？", f"; did you mean {close}?") if close else ""
        raise RuleSyntaxError("rule_unknown_fact", name=name, near=near)
    values = tuple(_literal(fact, literal) for literal in literals)
    allowed = frozenset[str]()
    if fact.type == "bool" and sign not in ("=", "!="):
        raise RuleSyntaxError("rule_bool_sign", name=name)
    if fact.type == "code":
        allowed = _allowed(fact, sign, values)
    if sign == "between" and fact.is_numeric and values[0] > values[1]:
        raise RuleSyntaxError("rule_empty_range", text=text)
    return Rule(fact, sign, values, text, note, allowed)


def _literal(fact: Fact, text: str) -> Any:
    if fact.type == "bool":
        if text not in ("true", "false"):
            raise RuleSyntaxError("rule_bool_literal", fact=fact.name, text=_short(text))
        return text == "true"
    if fact.type == "code":
        if not _CODE.fullmatch(text) or text not in fact.values:
            raise RuleSyntaxError(
                "rule_code_literal", fact=fact.name, text=_short(text), values=fact.values
            )
        return text
    if not _NUMBER.fullmatch(text):
        raise RuleSyntaxError("rule_number_literal", fact=fact.name, text=_short(text))
    exact = Decimal(text)
    if fact.type == "number":
        return float(exact)
    digits = DIGITS[fact.type]
    if exact != exact.quantize(Decimal(1).scaleb(-digits)):
        raise RuleSyntaxError("rule_decimals", fact=fact.name, digits=digits, text=text)
    return int(exact) if fact.type == "int" else exact


def _allowed(fact: Fact, sign: str, values: tuple[str, ...]) -> frozenset[str]:
    if sign in ("=", "in"):
        return frozenset(values)
    if sign in ("!=", "not in"):
        return frozenset(fact.values) - frozenset(values)
    if not fact.ascending:
        raise RuleSyntaxError("rule_no_order", fact=fact.name, sign=sign)
    rank = fact.ascending.index
    first, last = rank(values[0]), rank(values[-1])
    if sign == "between" and first > last:
        first, last = last, first
    tests = {
        "<": lambda i: i < first,
        "<=": lambda i: i <= first,
        ">": lambda i: i > first,
        ">=": lambda i: i >= first,
        "between": lambda i: first <= i <= last,
    }
    return frozenset(code for index, code in enumerate(fact.ascending) if tests[sign](index))


def _short(text: str) -> str:
    return text if len(text) <= 60 else text[:57] + "..."


def _near(name: str, facts: Mapping[str, Fact]) -> str:
    close = difflib.get_close_matches(name, list(facts), n=1, cutoff=0.75)
    return close[0] if close else ""
