"""Parser of a rulebook's TOML text; errors name file, line and clause."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

from analytics.rulebooks.conditions import Group, Note
from analytics.rulebooks.errors import FactError
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
from analytics.rulebooks.syntax.entries import CODE, NOTE_KEYS, TABLES, EntryReader
from analytics.rulebooks.validation import check_calculations, check_examples, check_reach

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


def parse_rulebook(
    text: str, facts: Mapping[str, Mapping[str, Fact]], path: str = "", examples: bool = True
) -> Rulebook:
    """Reads one edition.

    `facts` are the facts by grain, `path` is how refusals name the file. With `examples=False` the
    worked examples are read but not run and need not reach every class: for a copy whose thresholds
    are being tried out. Raises RulebookError.
    """
    return _Parser(text, facts, path).rulebook(examples)


class _Parser(EntryReader):
    def __init__(self, text: str, facts: Mapping[str, Mapping[str, Fact]], path: str) -> None:
        super().__init__(text, path)
        self.all_facts = facts

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
        self._check_dates(head)
        for key in ("name", "document", "source"):
            if key in head:
                head[key] = self._names(head[key], key, self.lines.key(key))
        for key in ("otherwise", "barred", "approved_by"):
            if key in head and not isinstance(head[key], str):
                self._refuse("head_text", self.lines.key(key), key=key)
        return head

    def _check_dates(self, head: Mapping[str, Any]) -> None:
        for key in ("effective_on", "repealed_on"):
            if key in head and type(head[key]) is not date:
                self._refuse("head_date", self.lines.key(key), key=key)
        if "repealed_on" in head and head["repealed_on"] <= head["effective_on"]:
            self._refuse("head_repealed", self.lines.key("repealed_on"))

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
        clause = rule.note.clause
        by = entry.get("by")
        to = entry.get("to")
        origins = self._texts(entry, "from", line)
        if (by is None) == (to is None):
            self._refuse("downgrade_kind", line, clause)
        if by is not None and (type(by) is not int or by < 1):
            self._refuse("downgrade_steps", line, clause)
        for code in [*([] if to is None else [to]), *origins]:
            if code not in codes:
                self._refuse("unknown_class", line, clause, code=code)
        return Downgrade(rule, by or 0, to or "", origins, rule.note)

    def _parameters(self) -> dict[str, Parameter]:
        parameters = {}
        for name, entry in self._tables("parameter").items():
            line = self.lines.table(f"parameter.{name}")
            self._only(entry, {"value"} | NOTE_KEYS, line)
            value = entry.get("value")
            if isinstance(value, list):
                value = self._texts(entry, "value", line)
            elif value is None or isinstance(value, dict):
                self._refuse("parameter_value", line, str(entry.get("clause", "")), name=name)
            names = self._names({key: entry.get(key) for key in ("zh", "en")}, name, line)
            parameters[name] = Parameter(
                name,
                value,
                names,
                Note(
                    str(entry.get("clause", "")), is_ours=bool(entry.get("ours", False)), line=line
                ),
            )
        return parameters

    def _examples(self, book: Rulebook) -> tuple[Example, ...]:
        persons = self._tables("person")
        for name, person in persons.items():
            self._example_facts(person, self.lines.table(f"person.{name}"))
        examples = []
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
            examples.append(
                Example(case, facts, entry["class"], because, missing, line, person, tuple(own))
            )
        return tuple(examples)

    def _calculations(self) -> tuple[Calculation, ...]:
        calculations = []
        for index, entry in enumerate(self._list("calculation")):
            line = self.lines.header("calculation", index)
            clause = str(entry.get("clause", ""))
            self._only(entry, {"case", "asks", "given", "gives", "clause"}, line, clause)
            inputs = entry.get("given")
            gives = entry.get("gives")
            if (
                not isinstance(inputs, dict)
                or isinstance(gives, bool)
                or not isinstance(gives, (int, Decimal))
            ):
                self._refuse("calculation_shape", line, clause)
            case = self._names(entry.get("case"), "case", line)
            calculations.append(
                Calculation(case, str(entry.get("asks", "")), inputs, gives, clause, line)
            )
        return tuple(calculations)

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
