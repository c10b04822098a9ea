"""Write the module map of CONTRIBUTING.md from the docstrings of packages and modules."""

import ast
import textwrap
from pathlib import Path

ROOT = Path(__file__).parents[2]
GUIDE = ROOT / "CONTRIBUTING.md"
BEGIN = "<!-- module map -->"
END = "<!-- end of module map -->"
# In the order of the layers, the highest first.
PACKAGES = (
    "pages/overall",
    "pages/analysis",
    "pages/rules",
    "pages/about",
    "pages/parts",
    "pages/parts/app",
    "pages/parts/sections",
    "pages/parts/sections/change",
    "pages/parts/sections/explorer",
    "pages/parts/sections/migration",
    "pages/parts/sections/segments",
    "pages/parts/sections/rulebooks",
    "pages/parts/sections/about",
    "pages/parts/widgets",
    "pages/parts/state",
    "analytics",
    "analytics/cli",
    "analytics/analysis",
    "analytics/grading",
    "analytics/segments",
    "analytics/marts",
    "analytics/presentation",
    "analytics/metrics",
    "analytics/rulebooks",
    "analytics/rulebooks/syntax",
    "analytics/i18n",
    "analytics/sql",
    "data",
    "data/demo",
    "data/loading",
    "data/loading/keys",
    "data/ingest",
    "data/contract",
    "data/editions",
    "data/messages",
)


def summary(path: Path) -> str:
    """Return the first sentence or paragraph of a module's docstring, on one line."""
    docstring = ast.get_docstring(ast.parse(path.read_text("utf-8"))) or ""
    return " ".join(docstring.split("\n\n")[0].split())


def unlisted_packages() -> set[str]:
    """Return the folders with Python modules that PACKAGES does not name."""
    folders = {
        path.parent.relative_to(ROOT).as_posix()
        for top in ("analytics", "data", "pages")
        for path in (ROOT / top).rglob("*.py")
    }
    return folders - set(PACKAGES) - {"pages"}


def module_map() -> str:
    """Return the map as Markdown: one list for each package, one line for each module."""
    blocks = []
    for package in PACKAGES:
        folder = ROOT / package
        lead = folder / "__init__.py"
        heading = f"**`{package}/`**"
        if lead.is_file():
            heading += f": {summary(lead)}"
        modules = [path for path in sorted(folder.glob("*.py")) if path != lead]
        entries = [f"- `{path.name}`: {summary(path)}" for path in modules]
        blocks.append("\n".join([_wrapped(heading), "", *map(_wrapped, entries)]).rstrip())
    return "\n\n".join(blocks)


def _wrapped(line: str) -> str:
    indent = "  " if line.startswith("- ") else ""
    return textwrap.fill(
        line, 100, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )


def with_map(guide: str) -> str:
    """Return the guide with the map between its markers replaced."""
    before, rest = guide.split(BEGIN)
    _, after = rest.split(END)
    return f"{before}{BEGIN}\n{module_map()}\n{END}{after}"


if __name__ == "__main__":
    GUIDE.write_text(with_map(GUIDE.read_text("utf-8")), "utf-8")
