"""The service rules of data/rulebooks/service.toml: what a class allows or asks for, checked over
the book.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

from analytics.rulebooks.conditions import Group, Note, Rule
from analytics.rulebooks.errors import RulebookError, RuleSyntaxError
from analytics.rulebooks.facts import STEPS, Fact, read_labels
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
        known = {
            name: _fact(name, entry, schemes, folder) for name, entry in declared["fact"].items()
        }
        grains = {name: entry["grain"] for name, entry in declared["fact"].items()}
        found = {}
        for entry in declared["rule"]:
            own = {name: fact for name, fact in known.items() if grains[name] == entry["grain"]}
            note = Note(clause=entry["clause"])
            found[entry["id"]] = ServiceRule(
                entry["id"], entry["grain"], entry["name"], entry["clause"], entry["document"], entry["note"],
                *(_group({"all": entry[part]}, own, note, schemes, as_of) for part in ("applies", "breach")),
            )  # fmt: skip
    except RuleSyntaxError as error:
        raise RulebookError(
            "passed_on", FILE, None, said={"zh": error.zh, "en": error.en}
        ) from error
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, LookupError, TypeError) as error:
        raise RulebookError("cannot_be_read", FILE, error=repr(error)) from error
    return found, known


def _fact(name: str, entry: Mapping[str, Any], schemes: Mapping[str, Any], folder: Path) -> Fact:
    unit = entry.get("unit", {"zh": "", "en": ""})
    codes = tuple(entry.get("values", ()))
    unknown, labels = "other", read_labels(folder).get(name, {})
    if "scheme" in entry:
        scheme = schemes[entry["scheme"]]
        codes, unknown = scheme.class_codes[:-1], "unrated"
        labels = {
            code: (scheme.class_names(code)["zh"], scheme.class_names(code)["en"]) for code in codes
        }
    step = STEPS.get(entry["type"], Decimal(1))
    return Fact(
        name, entry["type"], entry["zh"], entry["en"], unit["zh"], unit["en"], entry.get("how", ""), step, codes,
        unknown=unknown, labels=labels,
    )  # fmt: skip


def _group(
    entry: Any, known: Mapping[str, Fact], note: Note, schemes: Mapping[str, Any], as_of: date
) -> Group | Rule:
    if isinstance(entry, str):

        def value(found: re.Match) -> str:
            return str(schemes[found[1]].edition(as_of).parameters[found[2]].value)

        return parse_rule(_PARAMETER.sub(value, entry), known, note)
    ((kind, members),) = entry.items()
    if kind not in ("all", "any"):
        raise KeyError(kind)
    return Group(
        kind,
        tuple(_group(member, known, note, schemes, as_of) for member in members),
        note,
        text=kind,
    )
