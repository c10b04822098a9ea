"""The documents for whoever changes the code agree with the code."""

import ast
import re
import tomllib
from pathlib import Path

import pytest

from tests.support.module_map import GUIDE, module_map, unlisted_packages, with_map

ROOT = Path(__file__).parents[2]
TEXT = GUIDE.read_text("utf-8")
TOOL_VARIABLES = {"PYTEST_XDIST_WORKER", "LD_PRELOAD"}


def section(title: str) -> str:
    """Return the text under a heading of the guide, up to the next heading of the same level."""
    return re.split(r"^## ", TEXT.split(f"\n## {title}\n")[1], flags=re.MULTILINE)[0]


def first_column(title: str) -> set[str]:
    """Return the names in code style in the first column of the table under a heading."""
    rows = re.findall(r"^\| (.*?) \|", section(title), re.MULTILINE)
    return {name for row in rows for name in re.findall(r"`([^`]+)`", row)}


def environment_names(path: Path) -> set[str]:
    """Return the names that a module reads from the environment, itself or through click."""
    keys: list[ast.expr] = []
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.keyword) and node.arg == "envvar":
            keys.append(node.value)
        elif isinstance(node, ast.Call):
            if ast.unparse(node.func) in ("os.environ.get", "os.getenv"):
                keys.append(node.args[0])
        elif isinstance(node, ast.Subscript) and ast.unparse(node.value) == "os.environ":
            keys.append(node.slice)
    return {str(ast.literal_eval(key)) for key in keys}


def test_the_module_map_is_the_one_that_the_script_writes():
    assert with_map(TEXT) == TEXT, "run: make module-map"


def test_the_module_map_names_every_package():
    assert not unlisted_packages()


def test_every_module_has_a_summary():
    assert not re.findall(r"^- `[^`]+`: *$", module_map(), re.MULTILINE)


def test_every_environment_variable_is_documented_and_no_other():
    files = [ROOT / "app.py"]
    for folder in ("analytics", "data", "pages", "tests"):
        files += (ROOT / folder).rglob("*.py")
    read = set().union(*(environment_names(path) for path in files)) - TOOL_VARIABLES
    makefile = (ROOT / "Makefile").read_text("utf-8")
    settable = set(re.findall(r"^(?:export )?([A-Z_]+) \?=", makefile, re.MULTILINE))
    assert first_column("Environment variables") == read | settable


def test_every_make_target_is_documented_and_no_other():
    makefile = (ROOT / "Makefile").read_text("utf-8")
    targets = set(re.findall(r"^([a-z][a-z-]*):", makefile, re.MULTILINE))
    phony = re.search(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)
    assert phony
    assert targets == set(phony[1].split())
    assert first_column("Make targets") == {f"make {target}" for target in targets}


def test_every_file_that_a_document_names_exists():
    references = set()
    for name in ("README.md", "CONTRIBUTING.md", "GLOSSARY.md", ".github/CODEOWNERS"):
        text = (ROOT / name).read_text("utf-8")
        paths = re.findall(r"(?<![\w/.])/?((?:analytics|data|pages|tests|\.ci)/[\w./-]*\w)", text)
        references |= {(name, path) for path in paths}
    assert not {(name, path) for name, path in references if not (ROOT / path).exists()}


def test_every_decision_states_context_decision_consequences_and_measured():
    decisions = re.split(r"^### ", section("Decisions"), flags=re.MULTILINE)[1:]
    numbers = {int(n) for n in re.findall(r"^### (\d+)", section("Decisions"), re.MULTILINE)}
    assert numbers == set(range(1, max(numbers) + 1))
    parts = ("**Context**", "**Decision**", "**Consequences**", "**Measured**")
    incomplete = [d.splitlines()[0] for d in decisions if not all(part in d for part in parts)]
    assert not incomplete


@pytest.mark.parametrize("name", ["ask", "list", "explain", "compare", "check", "bridge", "roll"])
def test_the_commands_of_the_readme_exist(name):
    from analytics.cli import analysis, options, rulebooks, segments

    sources = [Path(module.__file__) for module in (analysis, options, rulebooks, segments)]
    sources.append(ROOT / "analytics" / "__main__.py")
    text = "".join(path.read_text("utf-8") for path in sources)
    assert f'"{name}"' in text


def test_the_changelog_names_the_version_of_the_project():
    version = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["version"]
    assert f"## [{version}] - " in (ROOT / "CHANGELOG.md").read_text("utf-8")


def test_the_guide_links_the_glossary():
    assert "(GLOSSARY.md)" in TEXT
