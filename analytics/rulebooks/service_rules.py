"""The service rules of data/rulebooks/service.toml: what a class allows or asks for, checked over
the book.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

from analytics.rulebooks.conditions import Group, Note, Rule
from analytics.rulebooks.errors import RulebookError, RuleSyntaxError
from analytics.rulebooks.facts import STEPS, Fact, by_language, read_labels
from analytics.rulebooks.syntax.rule_text import parse_rule

FILE = "service.toml"
_PARAMETER = re.compile(r"\{([a-z_]+)\.([a-z0-9_]+)\}")


@dataclass(frozen=True)
class ServiceRule:
    """One rule: whoever `applies` holds for is looked at; where `breach` holds too, the rule is
    broken; None is undecided.
    """

    id: str
    grain: str
    names: Mapping[str, str]
    clause: str
    document: Mapping[str, str]
    note: Mapping[str, str]
    applies: Group
    breach: Group


def read_service(
    folder: Path, schemes: Mapping[str, Any], as_of: date
) -> tuple[dict[str, ServiceRule], dict[str, Fact]]:
    """The rules by id and their facts by name, with the parameters of the editions in force on
    `as_of`.

    Raises RulebookError for a declaration that cannot be read.
    """
    try:
        declared = tomllib.loads((folder / FILE).read_text(encoding="utf-8"), parse_float=Decimal)
        facts = {
            name: _fact(name, entry, schemes, folder) for name, entry in declared["fact"].items()
        }
        grains = {name: entry["grain"] for name, entry in declared["fact"].items()}
        service_rules = {}
        for entry in declared["rule"]:
            own = {name: fact for name, fact in facts.items() if grains[name] == entry["grain"]}
            note = Note(clause=entry["clause"])
            service_rules[entry["id"]] = ServiceRule(
                entry["id"],
                entry["grain"],
                _names(entry["name"]),
                entry["clause"],
                _names(entry["document"]),
                _names(entry["note"]),
                _group("all", entry["applies"], own, note, schemes, as_of),
                _group("all", entry["breach"], own, note, schemes, as_of),
            )
    except RuleSyntaxError as error:
        raise RulebookError("passed_on", FILE, None, said=error) from error
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, LookupError, TypeError) as error:
        raise RulebookError("cannot_be_read", FILE, error=repr(error)) from error
    return service_rules, facts


def _names(entry: Mapping[str, str]) -> dict[str, str]:
    return by_language(entry["zh"], entry["en"])


def _fact(name: str, entry: Mapping[str, Any], schemes: Mapping[str, Any], folder: Path) -> Fact:
    fact = Fact(
        name,
        entry["type"],
        _names(entry),
        _names(entry["unit"]) if "unit" in entry else {},
        entry.get("how", ""),
        STEPS.get(entry["type"], Decimal(1)),
        tuple(entry.get("values", ())),
        unknown="other",
        labels=read_labels(folder).get(name, {}),
    )
    if "scheme" not in entry:
        return fact
    scheme = schemes[entry["scheme"]]
    codes = scheme.class_codes[:-1]
    labels = {code: scheme.class_names(code) for code in codes}
    return replace(fact, values=codes, unknown="unrated", labels=labels)


def _group(
    kind: str,
    members: Any,
    facts: Mapping[str, Fact],
    note: Note,
    schemes: Mapping[str, Any],
    as_of: date,
) -> Group:
    if kind not in ("all", "any"):
        raise KeyError(kind)
    nodes = tuple(_node(member, facts, note, schemes, as_of) for member in members)
    return Group(kind, nodes, note, text=kind)


def _node(
    entry: Any, facts: Mapping[str, Fact], note: Note, schemes: Mapping[str, Any], as_of: date
) -> Group | Rule:
    if isinstance(entry, str):

        def value(placeholder: re.Match[str]) -> str:
            parameters = schemes[placeholder[1]].edition(as_of).parameters
            return str(parameters[placeholder[2]].value)

        return parse_rule(_PARAMETER.sub(value, entry), facts, note)
    ((kind, members),) = entry.items()
    return _group(kind, members, facts, note, schemes, as_of)
