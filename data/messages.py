"""Every sentence the loader says, in Chinese and English, read from messages.toml."""

import tomllib
from pathlib import Path

_WORDS = tomllib.loads(Path(__file__).with_name("messages.toml").read_text(encoding="utf-8"))
REASONS: dict[str, tuple[str, str]] = {code: (words["zh"], words["en"]) for code, words in _WORDS["reason"].items()}
NOTES: dict[str, tuple[str, str]] = {code: (words["zh"], words["en"]) for code, words in _WORDS["note"].items()}
SENTENCES: dict[str, tuple[str, str]] = {code: (words["zh"], words["en"]) for code, words in _WORDS["say"].items()}


def say(code: str, **facts: object) -> str:
    """The sentence `code` with its facts, Chinese first, in one line."""
    zh, en = SENTENCES[code]
    return f"{zh.format(**facts)} / {en.format(**facts)}"


def reason(code: str) -> str:
    """A row's reason in words, Chinese first."""
    return " / ".join(REASONS[code])


def note(code: str) -> str:
    """A note of the reconciliation in words, Chinese first."""
    return " / ".join(NOTES[code])
