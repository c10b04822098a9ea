"""Parser of a rulebook's TOML text; errors name file, line and clause."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

from analytics.rulebooks.conditions import Group, Note, Rule, parse_rule
from analytics.rulebooks.errors import FactError, Refusal, RulebookError, RuleSyntaxError
from analytics.rulebooks.facts import SCORE, Fact
from analytics.rulebooks.model import (
    UNRATED,
    Calculation,
    Class,
    Downgrade,
    Example,
    Parameter,
    ScoreItem,
)
from analytics.rulebooks.rulebook import Rulebook
from analytics.rulebooks.source_lines import DEEPEST, SourceLines, load
from analytics.rulebooks.validation import check_calculations, check_examples, check_reach

CODE = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,39}")
NOTE_KEYS = {"clause", "zh", "en", "ours"}
RULE_KEYS = {"when", "meets", "all", "any"} | NOTE_KEYS
HEAD = {
    "id",
    "name",
    "grain",
    "effective_on",
    "repealed_on",
    "document",
    "approved_by",
    "source",
    "otherwise",
    "barred",
    "look_in_order",
}
TABLES = {
    "class",
    "criterion",
    "bar",
    "downgrade",
    "score",
    "parameter",
    "person",
    "example",
    "calculation",
}


def parse_rulebook(
    text: str, facts: Mapping[str, Mapping[str, Fact]], path: str = "", examples: bool = True
) -> Rulebook:
    """Reads one edition.

    `facts` are the facts by grain, `path` is how refusals name the file. With `examples=False` the
    worked examples are read but not run and need not reach every class: for a copy whose thresholds
    are being tried out. Raises RulebookError.
    """
    return _Parser(text, facts, path).rulebook(examples)


class _Parser:
    def __init__(self, text: str, facts: Mapping[str, Mapping[str, Fact]], path: str) -> None:
        self.text, self.path, self.lines = text, path, SourceLines(text)
        self.document = load(self.lines, path)
        self.all_facts = facts
        self.criteria: dict[str, Group] = {}
        self.where: tuple[str, int] = ("", 0)

    def rulebook(self, run_examples: bool) -> Rulebook:
        head = self._head()
        self.facts = dict(self.all_facts[head["grain"]])
        score = self._score()
        if score:
            self.facts["score"] = SCORE
        for index, (name, entry) in enumerate(self._tables("criterion").items()):
            self.where = (f"criterion.{name}", index)
            self.criteria[name] = self._group(entry, name=name, allowed=NOTE_KEYS | {"all", "any"})
        classes = self._classes()
        codes = [c.code for c in classes]
        for key in ("otherwise", "barred"):
            if key in head and head[key] not in codes:
                self._refuse("head_no_class", self.lines.key(key), key=key, value=head[key])
        exclusions = tuple(
            self._rule(entry, "bar", index) for index, entry in enumerate(self._list("bar"))
        )
        if exclusions and "barred" not in head:
            self._refuse("bars_without_class", self.lines.header("bar", 0))
        book = Rulebook(
            id=head["id"],
            grain=head["grain"],
            effective_on=head["effective_on"],
            repealed_on=head.get("repealed_on"),
            names=head["name"],
            document=head["document"],
            approved_by=head.get("approved_by", ""),
            source=head.get("source", {}),
            classes=classes,
            evaluation_order=self._evaluation_order(head, classes),
            otherwise=head["otherwise"],
            exclusion_class=head.get("barred", ""),
            exclusions=exclusions,
            downgrades=tuple(
                self._downgrade(entry, index, codes)
                for index, entry in enumerate(self._list("downgrade"))
            ),
            score=score,
            parameters=self._parameters(),
            examples=(),
            fact_index={},
            criteria=self.criteria,
            calculations=self._calculations(),
            digest=hashlib.sha256(self.text.encode()).hexdigest()[:16],
            path=self.path,
            text=self.text,
        )
        used = {
            rule.fact.name: rule.fact
            for rule in book.leaves()
            if rule.fact.name != "score" or not score
        }
        book = replace(book, fact_index=used)
        book = replace(book, examples=self._examples(book))
        check_reach(book, self.lines, run_examples)
        if run_examples:
            check_examples(book, self.lines)
            check_calculations(book)
        return book

    # head and tables
    def _head(self) -> dict[str, Any]:
        document = self.document
        for key in document:
            if key not in HEAD | TABLES:
                self._refuse("head_unknown_key", self.lines.key(key), key=key, head=HEAD)
        for key in ("id", "name", "grain", "effective_on", "document", "otherwise"):
            if key not in document:
                self._refuse("head_needs", 1, key=key)
        head = {key: document[key] for key in HEAD if key in document}
        if not isinstance(head["id"], str) or not CODE.fullmatch(head["id"]):
            self._refuse("head_id", self.lines.key("id"))
        if str(head["grain"]) not in self.all_facts:
            self._refuse("head_grain", self.lines.key("grain"))
        for key in ("effective_on", "repealed_on"):
            if key in head and type(head[key]) is not date:
                self._refuse("head_date", self.lines.key(key), key=key)
        if "repealed_on" in head and head["repealed_on"] <= head["effective_on"]:
            self._refuse("head_repealed", self.lines.key("repealed_on"))
        for key in ("name", "document", "source"):
            if key in head:
                head[key] = self._names(head[key], key, self.lines.key(key))
        for key in ("otherwise", "barred", "approved_by"):
            if key in head and not isinstance(head[key], str):
                self._refuse("head_text", self.lines.key(key), key=key)
        return head

    def _list(self, name: str) -> list[dict[str, Any]]:
        entries = self.document.get(name, [])
        if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
            self._refuse("write_list", self.lines.any_of(name), name=name)
        return entries

    def _tables(self, name: str) -> dict[str, dict[str, Any]]:
        entries = self.document.get(name, {})
        if not isinstance(entries, dict) or not all(
            isinstance(entry, dict) for entry in entries.values()
        ):
            self._refuse("write_table", self.lines.any_of(name), name=name)
        return entries

    def _classes(self) -> tuple[Class, ...]:
        classes: list[Class] = []
        for index, entry in enumerate(self._list("class")):
            self.where = ("class", index)
            line = self.lines.header("class", index)
            self._only(
                entry,
                {
                    "code",
                    "name",
                    "rules",
                    "any_of",
                    "service",
                    "attributes",
                    "special",
                    "clause",
                    "ours",
                },
                line,
            )
            code = entry.get("code")
            if not isinstance(code, str) or not CODE.fullmatch(code) or code == UNRATED:
                self._refuse("class_code", line, unrated=UNRATED)
            if code in (c.code for c in classes):
                self._refuse("class_twice", line, str(entry.get("clause", "")), code=code)
            if "rules" in entry and "any_of" in entry:
                self._refuse("class_two_lists", line, code=code)
            rules = None
            for key, kind in (("rules", "all"), ("any_of", "any")):
                if key in entry:
                    members = entry[key]
                    if not isinstance(members, list) or not members:
                        self._refuse("class_empty_list", line, code=code, key=key)
                    rules = Group(kind, tuple(self._node(member, 0) for member in members))
            note = Note(
                clause=str(entry.get("clause", "")),
                is_ours=bool(entry.get("ours", False)),
                line=line,
            )
            service = self._names(entry["service"], "service", line) if "service" in entry else {}
            attributes = entry.get("attributes", {})
            if not isinstance(attributes, dict) or any(
                isinstance(value, (dict, list)) for value in attributes.values()
            ):
                self._refuse("class_attributes", line)
            classes.append(
                Class(
                    code,
                    self._names(entry.get("name"), "name", line),
                    rules,
                    service,
                    attributes,
                    bool(entry.get("special", False)),
                    note,
                )
            )
        if not classes:
            self._refuse("class_none", 1)
        return tuple(classes)

    def _evaluation_order(
        self, head: Mapping[str, Any], classes: tuple[Class, ...]
    ) -> tuple[str, ...]:
        ruled = [c.code for c in classes if c.rules is not None]
        look = head.get("look_in_order", ruled)
        if not isinstance(look, list) or sorted(map(str, look)) != sorted(ruled):
            self._refuse("look_in_order", self.lines.key("look_in_order"), ruled=ruled)
        return tuple(look)

    def _score(self) -> tuple[ScoreItem, ...]:
        items = []
        for index, entry in enumerate(self._list("score")):
            self.where = ("score", index)
            line = self.lines.header("score", index)
            self._only(entry, {"name", "bands", "otherwise", "clause", "ours"}, line)
            bands = []
            for band in entry["bands"] if isinstance(entry.get("bands"), list) else []:
                if not isinstance(band, dict) or type(band.get("points")) is not int:
                    self._refuse("score_band", line, str(entry.get("clause", "")))
                bands.append(
                    (
                        self._node({k: v for k, v in band.items() if k != "points"}, 0),
                        band["points"],
                    )
                )
            if not bands or type(entry.get("otherwise", 0)) is not int:
                self._refuse("score_item", line)
            note = Note(
                clause=str(entry.get("clause", "")),
                is_ours=bool(entry.get("ours", False)),
                line=line,
            )
            items.append(
                ScoreItem(
                    self._names(entry.get("name"), "name", line),
                    tuple(bands),
                    entry.get("otherwise", 0),
                    note,
                )
            )
        return tuple(items)

    def _downgrade(self, entry: dict[str, Any], index: int, codes: list[str]) -> Downgrade:
        line = self.lines.header("downgrade", index)
        rule = self._rule(
            {k: v for k, v in entry.items() if k not in ("by", "to", "from")}, "downgrade", index
        )
        clause, by, to, origins = (
            rule.note.clause,
            entry.get("by"),
            entry.get("to"),
            self._texts(entry, "from", line),
        )
        if (by is None) == (to is None):
            self._refuse("downgrade_kind", line, clause)
        if by is not None and (type(by) is not int or by < 1):
            self._refuse("downgrade_steps", line, clause)
        for code in [*([] if to is None else [to]), *origins]:
            if code not in codes:
                self._refuse("unknown_class", line, clause, code=code)
        return Downgrade(rule, by or 0, to or "", origins, rule.note)

    def _parameters(self) -> dict[str, Parameter]:
        found = {}
        for name, entry in self._tables("parameter").items():
            line = self.lines.table(f"parameter.{name}")
            self._only(entry, {"value"} | NOTE_KEYS, line)
            value = entry.get("value")
            if isinstance(value, list):
                value = self._texts(entry, "value", line)
            elif value is None or isinstance(value, dict):
                self._refuse("parameter_value", line, str(entry.get("clause", "")), name=name)
            names = self._names({key: entry.get(key) for key in ("zh", "en")}, name, line)
            found[name] = Parameter(
                name,
                value,
                names,
                Note(
                    str(entry.get("clause", "")), is_ours=bool(entry.get("ours", False)), line=line
                ),
            )
        return found

    def _examples(self, book: Rulebook) -> tuple[Example, ...]:
        persons = self._tables("person")
        for name, person in persons.items():
            self._example_facts(person, self.lines.table(f"person.{name}"))
        found = []
        for index, entry in enumerate(self._list("example")):
            line = self.lines.header("example", index)
            self._only(entry, {"case", "person", "facts", "class", "because", "missing"}, line)
            case = self._names(entry.get("case"), "case", line)
            if entry.get("class") not in book.class_codes:
                self._refuse("example_class", line, code=entry.get("class"), known=book.class_codes)
            person = str(entry.get("person", ""))
            if "person" in entry and person not in persons:
                self._refuse("example_person", line, person=person)
            own = self._example_facts(entry.get("facts", {}), line)
            facts = {**persons.get(person, {}), **own}
            # "missing" takes a fact of the person away
            facts = {name: value for name, value in facts.items() if value != "missing"}
            missing = self._texts(entry, "missing", line) if "missing" in entry else None
            because = self._texts(entry, "because", line)
            found.append(
                Example(case, facts, entry["class"], because, missing, line, person, tuple(own))
            )
        return tuple(found)

    def _calculations(self) -> tuple[Calculation, ...]:
        found = []
        for index, entry in enumerate(self._list("calculation")):
            line, clause = self.lines.header("calculation", index), str(entry.get("clause", ""))
            self._only(entry, {"case", "asks", "given", "gives", "clause"}, line, clause)
            given, gives = entry.get("given"), entry.get("gives")
            if (
                not isinstance(given, dict)
                or isinstance(gives, bool)
                or not isinstance(gives, (int, Decimal))
            ):
                self._refuse("calculation_shape", line, clause)
            case = self._names(entry.get("case"), "case", line)
            found.append(Calculation(case, str(entry.get("asks", "")), given, gives, clause, line))
        return tuple(found)

    def _example_facts(self, facts: Any, line: int | None) -> dict[str, Any]:
        if not isinstance(facts, dict):
            self._refuse("example_facts", line)
        for name, value in facts.items():
            if name not in self.facts or name == "score":
                self._refuse("example_unknown_fact", line, name=name)
            try:
                self.facts[name].normal(None if value == "missing" else value)
            except FactError as error:
                self._pass_on(error, line)
        return facts

    def _rule(self, entry: dict[str, Any], kind: str, index: int) -> Rule | Group:
        self.where = (kind, index)
        return self._node(entry, 0)

    def _node(self, entry: Any, depth: int) -> Rule | Group:
        line = (
            self.lines.header(*self.where)
            if self.where[0] in TABLES
            else self.lines.table(self.where[0])
        )
        if isinstance(entry, str):
            entry = {"when": entry}
        if not isinstance(entry, dict):
            self._refuse("rule_shape", line)
        clause = str(entry.get("clause", ""))
        self._only(entry, RULE_KEYS, line, clause)
        ways = [key for key in ("when", "meets", "all", "any") if key in entry]
        if len(ways) != 1:
            self._refuse("rule_one_of", line, clause)
        if ways[0] == "when":
            text = entry["when"]
            if not isinstance(text, str):
                self._refuse("rule_when_text", line, clause)
            line = self.lines.find(self.where, text) or line
            try:
                return parse_rule(text, self.facts, self._note(entry, clause, line))
            except RuleSyntaxError as error:
                self._pass_on(error, line, clause)
        if ways[0] == "meets":
            name = str(entry["meets"])
            line = self.lines.find(self.where, name) or line
            if name not in self.criteria:
                self._refuse("rule_criterion", line, clause, name=name)
            known = self.criteria[name]
            note = self._note(entry, clause or known.note.clause, line)
            note = Note(
                note.clause,
                note.zh or known.note.zh,
                note.en or known.note.en,
                note.is_ours or known.note.is_ours,
                line,
            )
            return Group(known.kind, known.members, note, name, f"meets {name}")
        if depth + 1 > DEEPEST:
            self._refuse("rule_too_deep", line, clause, deepest=DEEPEST)
        return self._group(entry, depth + 1)

    def _group(
        self, entry: dict[str, Any], depth: int = 0, name: str = "", allowed: set[str] = RULE_KEYS
    ) -> Group:
        line = (
            self.lines.header(*self.where)
            if self.where[0] in TABLES
            else self.lines.table(self.where[0])
        )
        clause = str(entry.get("clause", ""))
        self._only(entry, allowed, line, clause)
        kinds = [kind for kind in ("all", "any") if kind in entry]
        members = entry[kinds[0]] if len(kinds) == 1 else None
        if not isinstance(members, list) or not members:
            self._refuse("group_list", line, clause)
        return Group(
            kinds[0],
            tuple(self._node(member, depth) for member in members),
            self._note(entry, clause, line),
            name,
            kinds[0],
        )

    def _note(self, entry: Mapping[str, Any], clause: str, line: int | None) -> Note:
        if not isinstance(entry.get("ours", False), bool):
            self._refuse("ours_bool", line, clause)
        return Note(
            clause,
            str(entry.get("zh", "")),
            str(entry.get("en", "")),
            entry.get("ours", False),
            line,
        )

    # refusals
    def _names(self, value: Any, key: str, line: int | None) -> dict[str, str]:
        if (
            not isinstance(value, dict)
            or set(value) != {"zh", "en"}
            or not all(isinstance(v, str) and v.strip() for v in value.values())
        ):
            self._refuse("both_languages", line, key=key)
        return dict(value)

    def _texts(self, entry: Mapping[str, Any], key: str, line: int | None) -> tuple[str, ...]:
        value = entry.get(key, [])
        if not isinstance(value, list) or not all(isinstance(text, str) for text in value):
            self._refuse("list_of_texts", line, key=key)
        return tuple(value)

    def _only(
        self, entry: Mapping[str, Any], allowed: set[str], line: int | None, clause: str = ""
    ) -> None:
        for key in entry:
            if key not in allowed:
                self._refuse("unknown_key", line, clause, key=key, allowed=allowed)

    def _refuse(
        self, key: str, line: int | None = None, clause: str = "", /, **fields: Any
    ) -> None:
        raise RulebookError(key, self.path, line, clause, **fields)

    def _pass_on(self, error: Refusal, line: int | None, clause: str = "") -> None:
        raise RulebookError(
            "passed_on", self.path, line, clause, said={"zh": error.zh, "en": error.en}
        ) from error
