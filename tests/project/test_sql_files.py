"""Every .sql file begins with a head: result, grain, parameters and placeholders."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FIELDS = ("grain", "parameters", "placeholders", "columns")
FIELD = re.compile(rf"-- ({'|'.join(FIELDS)}): (.+)")
ENTRY = re.compile(r"([a-z_]\w*) \(.+\)")
COMMENT_OR_STRING = re.compile(r"--[^\n]*|'[^']*'")
PLACEHOLDER = re.compile(r"\{([a-z_]+)\}")
PARAMETER = re.compile(r"\$([a-z_]\w*)")

FOLDERS = ("analytics", "data", "pages", "tests")
FILES = sorted(
    str(path.relative_to(ROOT)) for folder in FOLDERS for path in (ROOT / folder).rglob("*.sql")
)


def head_of(text: str) -> list[str]:
    """Return the comment lines at the start of a text."""
    lines = []
    for line in text.splitlines():
        if not line.startswith("--"):
            break
        lines.append(line)
    return lines


def fields_of(head: list[str]) -> dict[str, str]:
    """Return the fields of a head; a continued line begins with three spaces."""
    fields: dict[str, str] = {}
    name = ""
    for line in head:
        if match := FIELD.fullmatch(line):
            name = match[1]
            fields[name] = match[2]
        elif name and line.startswith("--   "):
            fields[name] += " " + line[5:]
        else:
            name = ""
    return fields


def names_in(field: str) -> set[str]:
    """Return the names of a field such as "as_of (month end); limit (most rows)"."""
    names = set()
    for entry in filter(None, field.split("; ")):
        match = ENTRY.fullmatch(entry)
        assert match, f"not of the form `name (meaning)`: {entry}"
        names.add(match[1])
    return names


def code_of(text: str) -> str:
    """Return a text without its comments and strings."""
    return COMMENT_OR_STRING.sub(" ", text)


@pytest.mark.parametrize("name", FILES)
def test_a_file_begins_with_one_sentence_and_its_grain(name: str) -> None:
    head = head_of((ROOT / name).read_text("utf-8"))
    assert re.fullmatch(r"-- [A-Z].+\.", head[0]), (
        "first line: one sentence that ends with a full stop"
    )
    assert head[1].startswith("-- grain: "), "second line: the grain"


@pytest.mark.parametrize("name", FILES)
def test_the_head_names_the_parameters_and_placeholders_of_the_text(name: str) -> None:
    text = (ROOT / name).read_text("utf-8")
    fields = fields_of(head_of(text))
    assert names_in(fields.get("parameters", "")) == set(PARAMETER.findall(code_of(text)))
    # Placeholders are filled in strings as well, and would be in comments.
    assert names_in(fields.get("placeholders", "")) == set(PLACEHOLDER.findall(text))


@pytest.mark.parametrize("name", FILES)
def test_no_comment_has_a_placeholder_or_a_parameter(name: str) -> None:
    comments = "\n".join(re.findall(r"--[^\n]*", (ROOT / name).read_text("utf-8")))
    assert not PLACEHOLDER.findall(comments)
    assert not PARAMETER.findall(comments)


@pytest.mark.parametrize("name", FILES)
def test_a_file_does_not_end_with_a_comment(name: str) -> None:
    """A fragment is inserted before other text, which a comment on the last line would hide."""
    last = (ROOT / name).read_text("utf-8").rstrip().splitlines()[-1]
    assert "--" not in re.sub(r"'[^']*'", "", last)
