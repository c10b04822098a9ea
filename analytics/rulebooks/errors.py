"""What a rulebook, or one fact, can be refused for; the sentences stand in messages.toml."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

_SENTENCES = tomllib.loads(Path(__file__).with_name("messages.toml").read_text(encoding="utf-8"))


class Refusal(ValueError):
    """A sentence in both languages: `en`, `zh` and `str()` (English). A field that is a list is
    joined, one with words is given its own.
    """

    def __init__(self, key: str, /, **fields: Any) -> None:
        self.key = key
        self.en, self.zh = (
            _SENTENCES[key][lang].format(
                **{name: _field_text(value, lang) for name, value in fields.items()}
            )
            for lang in ("en", "zh")
        )
        super().__init__(self.en)


class RuleSyntaxError(Refusal):
    """A rule's text cannot be read."""


class RulebookError(Refusal):
    """A rulebook is refused. `str()` names file, line and clause and says what to do; `text("zh")`
    says it in Chinese.

    `path` is the file as the officer knows it (scheme folder / file); `line` counts from 1, None
    where the whole file is meant.
    """

    def __init__(
        self, key: str, path: str = "", line: int | None = None, clause: str = "", /, **fields: Any
    ) -> None:
        super().__init__(key, clause=clause, **fields)
        self.path, self.line, self.clause = path, line, clause

    def __str__(self) -> str:
        return self.text("en")

    def text(self, lang: str) -> str:
        """The refusal as one sentence in `lang` ("zh" or "en")."""
        if lang.startswith("zh"):
            line = f" 第 {self.line} 行" if self.line else ""
            clause = f"（条款 {self.clause}）" if self.clause else ""
            return f"{self.path}{line}{clause}：{self.zh}".removeprefix("：")
        line = f", line {self.line}" if self.line else ""
        clause = f", clause {self.clause}" if self.clause else ""
        return f"{self.path}{line}{clause}: {self.en}".removeprefix(": ")


class FactError(Refusal):
    """One customer's fact has a value that its type does not allow.

    `fact` names it; the value is not told (it may be personal).
    """

    def __init__(self, fact: str, key: str, /, **fields: Any) -> None:
        super().__init__(key, fact=fact, **fields)
        self.fact = fact


class NoEdition(LookupError):
    """No edition of the scheme was in force on the day asked for."""


def _field_text(value: Any, lang: str) -> Any:
    if isinstance(value, dict):
        return value.get(lang, value)
    if isinstance(value, (set, frozenset)):
        value = sorted(value)
    if isinstance(value, (list, tuple)):
        return ("、" if lang == "zh" else ", ").join(map(str, value)) or (
            "无" if lang == "zh" else "none"
        )
    return value
