"""A rulebook's TOML text → a Rulebook, or a refusal that names file, line and clause."""

from __future__ import annotations

import hashlib
import re
import tomllib
from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

from analytics.rulebooks.book import UNRATED, Class, Downgrade, Example, Parameter, Rulebook, ScoreItem
from analytics.rulebooks.checking import check_examples, check_reach
from analytics.rulebooks.errors import FactError, RulebookError
from analytics.rulebooks.facts import Fact
from analytics.rulebooks.lines import Lines
from analytics.rulebooks.rules import FULL_WIDTH, Grammar, Group, Note, Rule, parse

LARGEST_FILE = 512 * 1024
DEEPEST = 12
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
TABLES = {"class", "criterion", "bar", "downgrade", "score", "parameter", "person", "example"}
SCORE = Fact("score", "int", "评分", "Score", "分", "points")


def parse_rulebook(
    text: str, facts: Mapping[str, Mapping[str, Fact]], path: str = "", examples: bool = True
) -> Rulebook:
    """Reads one edition.

    `facts` are the facts by grain, `path` is how refusals name the file. With `examples=False` the worked examples are read but not run and
    need not reach every class: for a copy whose thresholds are being tried out. Raises RulebookError.
    """
    return _Reader(text, facts, path).rulebook(examples)


def decode(raw: bytes, path: str) -> str:
    """The bytes of a rulebook file as text. Raises RulebookError for a huge file or one that is not UTF-8."""
    if len(raw) > LARGEST_FILE:
        raise _too_large(path)
    try:
        return raw.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise RulebookError(
            "the file is not UTF-8: save it as UTF-8", "文件不是 UTF-8 编码，请另存为 UTF-8", path, line
        ) from error


def _too_large(path: str) -> RulebookError:
    return RulebookError(
        f"larger than {LARGEST_FILE:,} bytes, which no rulebook needs",
        f"超过 {LARGEST_FILE:,} 字节，不像规则手册",
        path,
    )


class _Reader:
    def __init__(self, text: str, facts: Mapping[str, Mapping[str, Fact]], path: str) -> None:
        if len(text) > LARGEST_FILE:
            raise _too_large(path)
        self.text, self.path, self.lines = text, path, Lines(text)
        if (deep := self.lines.deeper_than(DEEPEST)) is not None:
            raise RulebookError(
                f"brackets are nested more than {DEEPEST} deep", f"括号嵌套超过 {DEEPEST} 层", path, deep
            )
        try:
            self.document = tomllib.loads(text, parse_float=Decimal)
        except tomllib.TOMLDecodeError as error:
            raise self._toml_error(error) from error
        except RecursionError as error:
            raise RulebookError("the file is nested too deep", "文件嵌套过深", path) from error
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
                self._refuse(
                    f"{key} = {head[key]!r} is no class of this rulebook",
                    f"{key} = “{head[key]}” 不是本手册的类别",
                    self.lines.key(key),
                )
        bars = tuple(self._rule(entry, "bar", index) for index, entry in enumerate(self._list("bar")))
        if bars and "barred" not in head:
            self._refuse(
                "there are bars but no `barred` class", "有禁入条款却没有声明 barred 类别", self.lines.header("bar", 0)
            )
        look = self._look(head, classes)
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
            look=look,
            otherwise=head["otherwise"],
            barred=head.get("barred", ""),
            bars=bars,
            downgrades=tuple(
                self._downgrade(entry, index, codes) for index, entry in enumerate(self._list("downgrade"))
            ),
            score=score,
            parameters=self._parameters(),
            examples=(),
            fact_index={},
            criteria=self.criteria,
            digest=hashlib.sha256(self.text.encode()).hexdigest()[:16],
            path=self.path,
        )
        used = {rule.fact.name: rule.fact for rule in book.leaves() if rule.fact.name != "score" or not score}
        book = replace(book, fact_index=used)
        book = replace(book, examples=self._examples(book))
        check_reach(book, self.lines, run_examples)
        if run_examples:
            check_examples(book, self.lines)
        return book

    # head and tables ------------------------------------------------------------------------------------------------------------

    def _head(self) -> dict[str, Any]:
        document = self.document
        for key in document:
            if key not in HEAD | TABLES:
                self._refuse(
                    f"unknown key {key!r}; the head may have {', '.join(sorted(HEAD))}",
                    f"未知的键“{key}”；文件头可用：{'、'.join(sorted(HEAD))}",
                    self.lines.key(key),
                )
        for key in ("id", "name", "grain", "effective_on", "document", "otherwise"):
            if key not in document:
                self._refuse(f"{key} is missing in the head", f"文件头缺少 {key}", 1)
        head = {key: document[key] for key in HEAD if key in document}
        if not isinstance(head["id"], str) or not CODE.fullmatch(head["id"]):
            self._refuse(
                "id must be a word of letters, digits and _", "id 只能用字母、数字和下划线", self.lines.key("id")
            )
        if head["grain"] not in self.all_facts:
            self._refuse('grain is "customer" or "loan"', 'grain 只能是 "customer" 或 "loan"', self.lines.key("grain"))
        for key in ("effective_on", "repealed_on"):
            if key in head and type(head[key]) is not date:
                self._refuse(
                    f"{key} is a date without quotes: 2026-01-01",
                    f"{key} 是不带引号的日期，如 2026-01-01",
                    self.lines.key(key),
                )
        if "repealed_on" in head and head["repealed_on"] <= head["effective_on"]:
            self._refuse(
                "repealed_on must lie after effective_on",
                "repealed_on 必须晚于 effective_on",
                self.lines.key("repealed_on"),
            )
        for key in ("name", "document", "source"):
            if key in head:
                head[key] = self._names(head[key], key, self.lines.key(key))
        for key in ("otherwise", "barred", "approved_by"):
            if key in head and not isinstance(head[key], str):
                self._refuse(f"{key} must be text in quotes", f"{key} 必须是带引号的文字", self.lines.key(key))
        return head

    def _list(self, name: str) -> list[dict[str, Any]]:
        entries = self.document.get(name, [])
        if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
            self._refuse(
                f"write [[{name}]] with double brackets",
                f"{name} 要写作 [[{name}]]（双方括号）",
                self.lines.any_of(name),
            )
        return entries

    def _tables(self, name: str) -> dict[str, dict[str, Any]]:
        entries = self.document.get(name, {})
        if not isinstance(entries, dict) or not all(isinstance(entry, dict) for entry in entries.values()):
            self._refuse(f"write [{name}.a_name]", f"{name} 要写作 [{name}.名称]", self.lines.any_of(name))
        return entries

    def _classes(self) -> tuple[Class, ...]:
        classes: list[Class] = []
        for index, entry in enumerate(self._list("class")):
            self.where = ("class", index)
            line = self.lines.header("class", index)
            self._only(
                entry, {"code", "name", "rules", "any_of", "service", "attributes", "special", "clause", "ours"}, line
            )
            code = entry.get("code")
            if not isinstance(code, str) or not CODE.fullmatch(code) or code == UNRATED:
                self._refuse(
                    f"a class needs a code of letters, digits and _ (not {UNRATED})",
                    f"类别需要由字母、数字、下划线组成的 code（不能是 {UNRATED}）",
                    line,
                )
            if code in (c.code for c in classes):
                self._refuse(f"class {code} is declared twice", f"类别 {code} 重复声明", line, entry.get("clause", ""))
            if "rules" in entry and "any_of" in entry:
                self._refuse(
                    f"class {code} has both rules (all must hold) and any_of (one is enough)",
                    f"类别 {code} 同时有 rules（全部满足）和 any_of（满足其一）",
                    line,
                )
            rules = None
            for key, kind in (("rules", "all"), ("any_of", "any")):
                if key in entry:
                    members = entry[key]
                    if not isinstance(members, list) or not members:
                        self._refuse(
                            f"class {code}: {key} is a list of rules in [ ]",
                            f"类别 {code}：{key} 是方括号内的规则列表",
                            line,
                        )
                    rules = Group(kind, tuple(self._node(member, 0) for member in members))
            note = Note(clause=str(entry.get("clause", "")), is_ours=bool(entry.get("ours", False)), line=line)
            service = self._names(entry["service"], "service", line) if "service" in entry else {}
            attributes = entry.get("attributes", {})
            if not isinstance(attributes, dict) or any(
                isinstance(value, (dict, list)) for value in attributes.values()
            ):
                self._refuse(
                    "attributes are single values: { provision_rate = 0.25 }",
                    "attributes 只能是单个数值，如 { provision_rate = 0.25 }",
                    line,
                )
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
            self._refuse("there is no [[class]]", "没有任何 [[class]]", 1)
        return tuple(classes)

    def _look(self, head: Mapping[str, Any], classes: tuple[Class, ...]) -> tuple[str, ...]:
        ruled = [c.code for c in classes if c.rules is not None]
        look = head.get("look_in_order", ruled)
        if not isinstance(look, list) or sorted(map(str, look)) != sorted(ruled):
            self._refuse(
                f"look_in_order must name each class that has rules once: {', '.join(ruled)}",
                f"look_in_order 必须恰好列出每个有规则的类别：{'、'.join(ruled)}",
                self.lines.key("look_in_order"),
            )
        return tuple(look)

    def _score(self) -> tuple[ScoreItem, ...]:
        items = []
        for index, entry in enumerate(self._list("score")):
            self.where = ("score", index)
            line = self.lines.header("score", index)
            self._only(entry, {"name", "bands", "otherwise", "clause", "ours"}, line)
            bands = []
            for band in entry.get("bands", []):
                if not isinstance(band, dict) or type(band.get("points")) is not int:
                    self._refuse(
                        'a band is { when = "…", points = 10 } with whole points',
                        '档次写作 { when = "…", points = 10 }，分值为整数',
                        line,
                        entry.get("clause", ""),
                    )
                bands.append((self._node({k: v for k, v in band.items() if k != "points"}, 0), band["points"]))
            if not bands or type(entry.get("otherwise", 0)) is not int:
                self._refuse(
                    "a score needs bands, and otherwise is a whole number", "评分项需要 bands，otherwise 为整数", line
                )
            note = Note(clause=str(entry.get("clause", "")), is_ours=bool(entry.get("ours", False)), line=line)
            items.append(
                ScoreItem(self._names(entry.get("name"), "name", line), tuple(bands), entry.get("otherwise", 0), note)
            )
        return tuple(items)

    def _downgrade(self, entry: dict[str, Any], index: int, codes: list[str]) -> Downgrade:
        line = self.lines.header("downgrade", index)
        rule = self._rule({k: v for k, v in entry.items() if k not in ("by", "to", "from")}, "downgrade", index)
        clause, by, to, origins = rule.note.clause, entry.get("by"), entry.get("to"), entry.get("from", [])
        if (by is None) == (to is None):
            self._refuse(
                'a downgrade has either by = steps or to = "class"',
                '降级条款要么写 by = 级数，要么写 to = "类别"',
                line,
                clause,
            )
        if by is not None and (type(by) is not int or by < 1):
            self._refuse("by is a whole number of steps, 1 or more", "by 是不小于 1 的整数", line, clause)
        for code in [*([to] if to is not None else []), *(origins if isinstance(origins, list) else [origins])]:
            if code not in codes:
                self._refuse(f"{code!r} is no class of this rulebook", f"“{code}”不是本手册的类别", line, clause)
        return Downgrade(rule, by or 0, to or "", tuple(origins), rule.note)

    def _parameters(self) -> dict[str, Parameter]:
        found = {}
        for name, entry in self._tables("parameter").items():
            line = self.lines.table(f"parameter.{name}")
            self._only(entry, {"value"} | NOTE_KEYS, line)
            if isinstance(entry.get("value", None), (dict, list, type(None))):
                self._refuse(
                    f"parameter {name} needs a single value",
                    f"参数 {name} 需要一个 value",
                    line,
                    entry.get("clause", ""),
                )
            names = self._names({key: entry.get(key) for key in ("zh", "en")}, name, line)
            found[name] = Parameter(
                name,
                entry["value"],
                names,
                Note(str(entry.get("clause", "")), is_ours=bool(entry.get("ours", False)), line=line),
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
                self._refuse(
                    f"example expects class {entry.get('class')!r}, which is none of {', '.join(book.class_codes)}",
                    f"示例期望的类别“{entry.get('class')}”不在 {'、'.join(book.class_codes)} 之中",
                    line,
                )
            if "person" in entry and entry["person"] not in persons:
                self._refuse(f"there is no [person.{entry['person']}]", f"没有 [person.{entry['person']}]", line)
            facts = {**persons.get(entry.get("person", ""), {}), **self._example_facts(entry.get("facts", {}), line)}
            # "missing" takes a fact of the person away
            facts = {name: value for name, value in facts.items() if value != "missing"}
            missing = tuple(entry["missing"]) if "missing" in entry else None
            found.append(Example(case, facts, entry["class"], tuple(entry.get("because", ())), missing, line))
        return tuple(found)

    def _example_facts(self, facts: Any, line: int | None) -> dict[str, Any]:
        if not isinstance(facts, dict):
            self._refuse("facts are written { fact = value }", "facts 写作 { 事实 = 值 }", line)
        for name, value in facts.items():
            if name not in self.facts or name == "score":
                self._refuse(f"unknown fact {name} in an example", f"示例中没有事实 {name}", line)
            try:
                self.facts[name].normal(None if value == "missing" else value)
            except FactError as error:
                self._refuse(error.en, error.zh, line)
        return facts

    # rules ----------------------------------------------------------------------------------------------------------------------

    def _rule(self, entry: dict[str, Any], kind: str, index: int) -> Rule | Group:
        self.where = (kind, index)
        return self._node(entry, 0)

    def _node(self, entry: Any, depth: int) -> Rule | Group:
        line = self.lines.header(*self.where) if self.where[0] in TABLES else self.lines.table(self.where[0])
        if isinstance(entry, str):
            entry = {"when": entry}
        if not isinstance(entry, dict):
            self._refuse(
                'a rule is { when = "fact sign literal", clause = "…" }',
                '规则写作 { when = "事实 符号 数值", clause = "…" }',
                line,
            )
        clause = str(entry.get("clause", ""))
        self._only(entry, RULE_KEYS, line, clause)
        ways = [key for key in ("when", "meets", "all", "any") if key in entry]
        if len(ways) != 1:
            self._refuse(
                "a rule has exactly one of when, meets, all, any",
                "一条规则只能有 when、meets、all、any 之一",
                line,
                clause,
            )
        if ways[0] == "when":
            text = entry["when"]
            if not isinstance(text, str):
                self._refuse("when is text in quotes", "when 是带引号的文字", line, clause)
            line = self.lines.find(self.where, text) or line
            try:
                return parse(text, self.facts, self._note(entry, clause, line))
            except Grammar as error:
                self._refuse(error.en, error.zh, line, clause)
        if ways[0] == "meets":
            name = entry["meets"]
            line = self.lines.find(self.where, str(name)) or line
            if name not in self.criteria:
                self._refuse(
                    f"there is no criterion {name!r} declared above", f"前面没有声明条件 criterion.{name}", line, clause
                )
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
            self._refuse(f"rules are nested more than {DEEPEST} deep", f"规则嵌套超过 {DEEPEST} 层", line, clause)
        return self._group(entry, depth + 1)

    def _group(self, entry: dict[str, Any], depth: int = 0, name: str = "", allowed: set[str] = RULE_KEYS) -> Group:
        line = self.lines.header(*self.where) if self.where[0] in TABLES else self.lines.table(self.where[0])
        clause = str(entry.get("clause", ""))
        self._only(entry, allowed, line, clause)
        kinds = [kind for kind in ("all", "any") if kind in entry]
        members = entry[kinds[0]] if len(kinds) == 1 else None
        if not isinstance(members, list) or not members:
            self._refuse(
                "needs one list `all = [...]` or `any = [...]`", "需要一个列表 all = [...] 或 any = [...]", line, clause
            )
        return Group(
            kinds[0],
            tuple(self._node(member, depth) for member in members),
            self._note(entry, clause, line),
            name,
            kinds[0],
        )

    def _note(self, entry: Mapping[str, Any], clause: str, line: int | None) -> Note:
        if not isinstance(entry.get("ours", False), bool):
            self._refuse("ours is true or false", "ours 只能是 true 或 false", line, clause)
        return Note(clause, str(entry.get("zh", "")), str(entry.get("en", "")), entry.get("ours", False), line)

    # refusals -------------------------------------------------------------------------------------------------------------------

    def _names(self, value: Any, key: str, line: int | None) -> dict[str, str]:
        if (
            not isinstance(value, dict)
            or set(value) != {"zh", "en"}
            or not all(isinstance(v, str) and v.strip() for v in value.values())
        ):
            self._refuse(
                f'{key} needs both languages: {{ zh = "…", en = "…" }}',
                f'{key} 需要中英文：{{ zh = "…", en = "…" }}',
                line,
            )
        return dict(value)

    def _only(self, entry: Mapping[str, Any], allowed: set[str], line: int | None, clause: str = "") -> None:
        for key in entry:
            if key not in allowed:
                self._refuse(
                    f"unknown key {key!r}; known here: {', '.join(sorted(allowed))}",
                    f"未知的键“{key}”；此处可用：{'、'.join(sorted(allowed))}",
                    line,
                    clause,
                )

    def _refuse(self, en: str, zh: str, line: int | None = None, clause: str = "") -> None:
        raise RulebookError(en, zh, self.path, line, clause)

    def _toml_error(self, error: tomllib.TOMLDecodeError) -> RulebookError:
        found = re.search(r"at line (\d+)", str(error))
        line = int(found[1]) if found else len(self.lines.lines)
        bare = re.sub(r'"[^"]*"|#.*', "", self.lines.lines[line - 1]) if line <= len(self.lines.lines) else ""
        if wrong := FULL_WIDTH.search(bare):
            return RulebookError(
                f"full-width character {wrong[0]!r}: type it in half-width",
                f"有全角字符“{wrong[0]}”，请改为半角",
                self.path,
                line,
            )
        return RulebookError(f"not valid TOML: {error}", f"不是有效的 TOML：{error}", self.path, line)
