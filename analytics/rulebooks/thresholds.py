"""Thresholds of a rulebook, their positions in its text, and the text with other values."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from analytics.rulebooks.conditions import Rule, plain_text
from analytics.rulebooks.errors import RulebookError
from analytics.rulebooks.rulebook import Rulebook


@dataclass(frozen=True)
class Threshold:
    """One literal of one rule: a number, or a code of a fact whose codes have an order.

    `key` names it within this text of the rulebook; `stage` is score, bar, class or downgrade,
    `code` the class it leads to.
    """

    key: str
    rule: Rule
    place: int
    stage: str
    code: str
    clause: str

    @property
    def value(self) -> Any:
        """The literal now: int, Decimal or float, or a code."""
        return self.rule.literals[self.place]


def thresholds(book: Rulebook) -> list[Threshold]:
    """Return every threshold in the order of first use.

    A criterion that several classes use is listed once. Equalities and lists are no thresholds:
    nothing lies above or below them.
    """
    by_key: dict[str, Threshold] = {}
    for stage, code, clause, rule in _rules(book):
        if rule.sign not in ("<", "<=", ">", ">=", "between") or not (
            rule.fact.is_numeric or rule.fact.ascending
        ):
            continue
        for place in range(len(rule.literals)):
            key = f"{rule.note.line}|{rule.text}|{place}"
            by_key.setdefault(
                key, Threshold(key, rule, place, stage, code, rule.note.clause or clause)
            )
    return list(by_key.values())


def with_thresholds(
    book: Rulebook, values: Mapping[str, Any], effective_on: date | None = None
) -> str:
    """Return the text of the rulebook with other values for thresholds, by key.

    It takes effect on `effective_on` where that is given; the rest of the text is unchanged. Raises
    KeyError for an unknown key.
    """
    lines = book.text.split("\n")
    by_key = {threshold.key: threshold for threshold in thresholds(book)}
    changed: dict[tuple[int | None, str], dict[int, Any]] = {}
    for key, value in values.items():
        threshold = by_key[key]
        if value != threshold.value:
            changed.setdefault((threshold.rule.note.line, threshold.rule.text), {})[
                threshold.place
            ] = value
    for (line, text), literals in changed.items():
        new = _rewritten(
            text, next(t.rule for t in by_key.values() if t.rule.text == text), literals
        )
        # a rule stands in quotes of either kind; one line holds the same rule twice only where both
        # mean the same
        if line is not None:
            lines[line - 1] = re.sub(
                rf"([\"']){re.escape(text)}\1",
                lambda quoted, new=new: quoted[1] + new + quoted[1],
                lines[line - 1],
            )
    if effective_on is not None:
        at = next(n for n, text in enumerate(lines) if re.match(r"\s*effective_on\s*=", text))
        lines[at] = re.sub(r"\d{4}-\d{2}-\d{2}", effective_on.isoformat(), lines[at], count=1)
    return "\n".join(lines)


def _rewritten(text: str, rule: Rule, literals: Mapping[int, Any]) -> str:
    literals_now = [
        _literal(literals.get(place, value)) for place, value in enumerate(rule.literals)
    ]
    name = rule.fact.name
    return (
        f"{name} between {literals_now[0]} and {literals_now[1]}"
        if rule.sign == "between"
        else f"{name} {rule.sign} {literals_now[0]}"
    )


def _literal(value: Any) -> str:
    # A slider yields a double; a rule has six decimals at most.
    return (
        plain_text(round(Decimal(str(value)), 6))
        if isinstance(value, (float, Decimal))
        else str(value)
    )


def _rules(book: Rulebook) -> Iterator[tuple[str, str, str, Rule]]:
    for item in book.score:
        for band, _ in item.bands:
            yield from (("score", "", item.note.clause, rule) for rule in band.leaves())
    for exclusion in book.exclusions:
        yield from (
            ("bar", book.exclusion_class, exclusion.note.clause, rule)
            for rule in exclusion.leaves()
        )
    for code in book.evaluation_order:
        class_ = book.class_of(code)
        yield from (
            ("class", code, class_.note.clause, rule) for rule in book.rules_of(code).leaves()
        )
    for downgrade in book.downgrades:
        yield from (
            ("downgrade", downgrade.to, downgrade.note.clause, rule)
            for rule in downgrade.when.leaves()
        )


def failing_example(text: str, parse: Callable[[str], Rulebook]) -> RulebookError | None:
    """Return why the text would be refused at signing, or None.

    Mostly a worked example has another class now. `parse` reads a text and runs its examples.
    """
    try:
        parse(text)
    except RulebookError as error:
        return error
    return None
