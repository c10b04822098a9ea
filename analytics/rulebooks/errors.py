"""What a rulebook can be refused for."""

from __future__ import annotations


class RulebookError(ValueError):
    """A rulebook is refused. `str()` names file, line and clause and says what to do; `text("zh")` says it in Chinese.

    `path` is the file as the officer knows it (scheme folder / file), `line` counts from 1 and is None where the whole file is meant.
    """

    def __init__(self, en: str, zh: str, path: str = "", line: int | None = None, clause: str = "") -> None:
        self.en, self.zh, self.path, self.line, self.clause = en, zh, path, line, clause
        super().__init__(self.text("en"))

    def text(self, lang: str) -> str:
        """The refusal as one sentence in `lang` ("zh" or "en")."""
        if lang == "zh":
            where = (
                self.path
                + (f" 第 {self.line} 行" if self.line else "")
                + (f"（条款 {self.clause}）" if self.clause else "")
            )
            return f"{where}：{self.zh}" if where else self.zh
        where = (
            self.path
            + (f", line {self.line}" if self.line else "")
            + (f", clause {self.clause}" if self.clause else "")
        )
        return f"{where}: {self.en}" if where else self.en


class FactError(ValueError):
    """One customer's fact has a value that its type does not allow. `fact` names it; the value is not repeated (it may be personal)."""

    def __init__(self, fact: str, en: str, zh: str) -> None:
        self.fact, self.en, self.zh = fact, en, zh
        super().__init__(en)


class NoEdition(LookupError):
    """No edition of the scheme was in force on the day asked for."""
