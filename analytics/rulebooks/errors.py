"""What a rulebook, or one fact, can be refused for.

The sentences are in data/messages, section `rulebook`.
"""

from __future__ import annotations

from typing import Any

from data.messages import error_text


class Refusal(ValueError):
    """A rulebook, a rule or a fact is refused.

    Parameters
    ----------
    code
        A key of the section `rulebook` of the catalogues in data/messages.
    fields
        What the sentence names: a mapping of languages is given in the reader's language, a list is
        joined, a set is sorted and joined.

    `str()` gives the sentence in English, `text(language)` in one language.
    """

    def __init__(self, code: str, /, **fields: Any) -> None:
        self.code = code
        self.fields = {name: _sorted(value) for name, value in fields.items()}
        super().__init__(error_text(code, self.fields, "en"))

    def text(self, language: str) -> str:
        """Return the sentence in one language, `zh-CN` or `en`."""
        return error_text(self.code, self.fields, language)


class RuleSyntaxError(Refusal):
    """A rule's text cannot be read."""


class RulebookError(Refusal):
    """A rulebook is refused; `str()` and `text` name file, line and clause and say what to do.

    `path` is the file as the officer knows it (scheme folder / file); `line` counts from 1, None
    where the whole file is meant.
    """

    def __init__(
        self, code: str, path: str = "", line: int | None = None, clause: str = "", /, **fields: Any
    ) -> None:
        super().__init__(code, clause=clause, **fields)
        self.path = path
        self.line = line
        self.clause = clause

    def __str__(self) -> str:
        return self.text("en")

    def text(self, language: str) -> str:
        """Return the refusal as one sentence in one language, `zh-CN` or `en`."""
        sentence = super().text(language)
        if language == "zh-CN":
            line = f" 第 {self.line} 行" if self.line else ""
            clause = f"（条款 {self.clause}）" if self.clause else ""
            return f"{self.path}{line}{clause}：{sentence}".removeprefix("：")
        line = f", line {self.line}" if self.line else ""
        clause = f", clause {self.clause}" if self.clause else ""
        return f"{self.path}{line}{clause}: {sentence}".removeprefix(": ")


class FactError(Refusal):
    """One customer's fact has a value that its type does not allow.

    `fact` names it; the value is not repeated (it may be personal).
    """

    def __init__(self, fact: str, code: str, /, **fields: Any) -> None:
        super().__init__(code, **fields)
        self.fact = fact


class NoEdition(LookupError):
    """No edition of the scheme was in force on the day asked for."""


def _sorted(value: Any) -> Any:
    return sorted(value) if isinstance(value, (set, frozenset)) else value
