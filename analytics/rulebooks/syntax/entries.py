"""Read the entries of a rulebook file: rules, groups, notes and names."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NoReturn

from analytics.rulebooks.conditions import Group, Note, Rule
from analytics.rulebooks.errors import Refusal, RulebookError, RuleSyntaxError
from analytics.rulebooks.facts import Fact, by_language
from analytics.rulebooks.syntax.rule_text import parse_rule
from analytics.rulebooks.syntax.source_lines import DEEPEST, SourceLines, load

CODE = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,39}")
NOTE_KEYS = {"clause", "zh", "en", "ours"}
RULE_KEYS = {"when", "meets", "all", "any"} | NOTE_KEYS
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


class EntryReader:
    """The document of one file, and what every kind of entry in it is made of."""

    def __init__(self, text: str, path: str) -> None:
        self.text = text
        self.path = path
        self.lines = SourceLines(text)
        self.document = load(self.lines, path)
        self.facts: dict[str, Fact] = {}
        self.criteria: dict[str, Group] = {}
        self.where: tuple[str, int] = ("", 0)

    def _rule(self, entry: dict[str, Any], kind: str, index: int) -> Rule | Group:
        self.where = (kind, index)
        return self._node(entry, 0)

    def _node(self, entry: Any, depth: int) -> Rule | Group:
        line = self._table_line()
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
            return self._plain_rule(entry, clause, line)
        if ways[0] == "meets":
            return self._criterion(entry, clause, line)
        if depth + 1 > DEEPEST:
            self._refuse("rule_too_deep", line, clause, deepest=DEEPEST)
        return self._group(entry, depth + 1)

    def _table_line(self) -> int | None:
        name, index = self.where
        return self.lines.header(name, index) if name in TABLES else self.lines.table(name)

    def _plain_rule(self, entry: dict[str, Any], clause: str, line: int | None) -> Rule:
        text = entry["when"]
        if not isinstance(text, str):
            self._refuse("rule_when_text", line, clause)
        line = self.lines.find(self.where, text) or line
        try:
            return parse_rule(text, self.facts, self._note(entry, clause, line))
        except RuleSyntaxError as error:
            self._pass_on(error, line, clause)

    def _criterion(self, entry: dict[str, Any], clause: str, line: int | None) -> Group:
        name = str(entry["meets"])
        line = self.lines.find(self.where, name) or line
        if name not in self.criteria:
            self._refuse("rule_criterion", line, clause, name=name)
        criterion = self.criteria[name]
        note = self._note(entry, clause or criterion.note.clause, line)
        note = Note(
            note.clause,
            {**criterion.note.words, **note.words},
            note.is_ours or criterion.note.is_ours,
            line,
        )
        return Group(criterion.kind, criterion.members, note, name, f"meets {name}")

    def _group(
        self, entry: dict[str, Any], depth: int = 0, name: str = "", allowed: set[str] = RULE_KEYS
    ) -> Group:
        line = self._table_line()
        clause = str(entry.get("clause", ""))
        self._only(entry, allowed, line, clause)
        kinds = [kind for kind in ("all", "any") if kind in entry]
        members: Any = entry[kinds[0]] if len(kinds) == 1 else None
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
            {
                language: str(entry[key])
                for key, language in (("zh", "zh-CN"), ("en", "en"))
                if entry.get(key)
            },
            entry.get("ours", False),
            line,
        )

    def _names(self, value: Any, key: str, line: int | None) -> dict[str, str]:
        if (
            not isinstance(value, dict)
            or set(value) != {"zh", "en"}
            or not all(isinstance(v, str) and v.strip() for v in value.values())
        ):
            self._refuse("both_languages", line, key=key)
        return by_language(value["zh"], value["en"])

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
    ) -> NoReturn:
        raise RulebookError(key, self.path, line, clause, **fields)

    def _pass_on(self, error: Refusal, line: int | None, clause: str = "") -> NoReturn:
        raise RulebookError("passed_on", self.path, line, clause, said=error) from error
