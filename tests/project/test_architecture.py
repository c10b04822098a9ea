"""The house rules a reader of the code relies on: who imports whom, one library one home, short
pages, no strays.
"""

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROOMS = {"data": 0, "analytics": 1, "pages/parts": 2, "pages": 3, "app.py": 4}
HOMES = {
    "duckdb": ("data/editions/",),
    "plotly": ("analytics/presentation/plotly_figures.py",),
    "sklearn": ("analytics/segments/",),
    "streamlit": ("app.py", "pages/"),
}
SOURCES = sorted(
    path
    for path in [
        ROOT / "app.py",
        *(f for room in ("data", "analytics", "pages") for f in (ROOT / room).rglob("*.py")),
    ]
)
PAGES = [
    path
    for path in SOURCES
    if path.is_relative_to(ROOT / "pages") and len(path.relative_to(ROOT).parts) == 3
]
PAGES = [path for path in PAGES if path.parent.name != "parts" and path.name != "__init__.py"]


def place(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def room(name: str) -> str | None:
    """The room of a file or of a dotted import."""
    name = name.replace(".", "/") if not name.endswith(".py") else name
    return next(
        (
            r
            for r in ("pages/parts", "pages", "analytics", "data", "app.py")
            if name == r or name.startswith(f"{r}/")
        ),
        None,
    )


def imports(path: Path) -> set[str]:
    """Everything a file imports, as dotted names."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def committed() -> list[Path]:
    """Every file of the project that a person wrote."""
    rooms = ("data", "analytics", "pages", "tests", ".ci", ".streamlit")
    files = [
        f
        for r in rooms
        for f in (ROOT / r).rglob("*")
        if f.is_file() and "__pycache__" not in f.parts
    ]
    files += [
        f
        for f in ROOT.iterdir()
        if f.is_file() and f.suffix in {".py", ".md", ".txt", ".toml", ""} and f.name != ".git"
    ]
    return [f for f in files if f.suffix not in {".png", ".xlsx", ".parquet", ".duckdb", ".so"}]


@pytest.mark.parametrize("path", SOURCES, ids=place)
def test_a_room_imports_only_what_lies_below_it(path):
    if path.name == "__main__.py":
        pytest.skip("an entry point composes what lies above it (decision 2)")
    package = room(place(path))
    assert package, "no layer of the contracts contains the file"
    own = ROOMS[package]
    above = {name for name in imports(path) if (r := room(name)) and ROOMS[r] > own}
    assert not above


@pytest.mark.parametrize(("line", "code"), [("", 0), ("import upper.page\n", 1)])
def test_an_import_of_a_higher_layer_breaks_the_contract(tmp_path, line, code):
    # the contract of analytics over two packages, here `upper` above `lower`; the import is planted
    # in the lower one
    for package in ("upper", "lower"):
        (tmp_path / package).mkdir()
        (tmp_path / package / "__init__.py").write_text("")
    (tmp_path / "upper" / "page.py").write_text("import lower.table\n")
    (tmp_path / "lower" / "table.py").write_text(line)
    (tmp_path / ".importlinter").write_text(
        "[importlinter]\nroot_packages =\n    upper\n    lower\n"
        "[importlinter:contract:layers]\nname = Layers\ntype = layers\n"
        "layers =\n    upper\n    lower\n"
    )
    command = [Path(sys.executable).with_name("lint-imports"), "--no-cache"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == code, done.stdout
    assert ("lower.table -> upper.page" in done.stdout) == bool(code)


@pytest.mark.parametrize("path", PAGES, ids=place)
def test_no_page_imports_another_page(path):
    assert not {
        name
        for name in imports(path)
        if room(name) == "pages" and name != "pages.parts" and "parts" not in name
    }


@pytest.mark.parametrize("library", HOMES)
def test_a_library_has_one_home(library):
    strays = {
        place(path)
        for path in SOURCES
        if any(name.split(".")[0] == library for name in imports(path))
        and not place(path).startswith(HOMES[library])
    }
    assert not strays


def test_only_folders_lie_in_pages():
    strays = {f.name for f in (ROOT / "pages").iterdir() if f.is_file()} - {"__init__.py"}
    assert not strays


@pytest.mark.parametrize("path", PAGES, ids=place)
def test_a_page_is_short(path):
    assert len(path.read_text("utf-8").splitlines()) <= 90


@pytest.mark.parametrize(
    "path",
    [p for p in SOURCES if room(place(p)) in ("pages", "pages/parts", "analytics")],
    ids=place,
)
def test_nothing_shown_depends_on_the_clock(path):
    assert not re.search(
        r"\b(date\.today|datetime\.now|datetime\.utcnow|time\.time)\(", path.read_text("utf-8")
    )


@pytest.mark.parametrize("path", [p for p in SOURCES if "pages" in p.parts], ids=place)
def test_pages_print_no_markup_from_data_and_ask_no_sql(path):
    text = path.read_text("utf-8")
    assert "unsafe_allow_html" not in text
    assert not re.search(r"\.(query|one)\(", text)
    if path.name != "frame.py":
        assert "unsafe_allow_javascript" not in text


def test_no_file_names_a_registry_or_a_place_on_somebodys_machine():
    banned = [
        "pypi" + ".org",
        "python" + "hosted",
        "/ro" + "ot/",
        "/wo" + "rk/",
        "registry." + "npmjs",
    ]
    strays = {
        (place(path), word)
        for path in committed()
        for word in banned
        if word in path.read_text("utf-8", errors="replace")
    }
    assert not strays


def test_no_stylesheet_or_setting_points_outside():
    settings = (ROOT / ".streamlit" / "config.toml").read_text("utf-8")
    styles = "".join(path.read_text("utf-8") for path in (ROOT / "pages").rglob("*.css"))
    assert "://" not in settings + styles


def test_the_settings_keep_to_this_machine_and_tell_nobody():
    settings = tomllib.loads((ROOT / ".streamlit" / "config.toml").read_text("utf-8"))
    assert settings["server"]["address"] == "127.0.0.1"
    assert settings["browser"]["gatherUsageStats"] is False
    assert settings["client"]["showErrorDetails"] == "none"


def test_the_page_and_the_figures_share_their_colours():
    from analytics.presentation.theme import DARK, LIGHT

    theme = tomllib.loads((ROOT / ".streamlit" / "config.toml").read_text("utf-8"))["theme"]
    for tone, section in ((LIGHT, theme["light"]), (DARK, theme["dark"])):
        assert section["backgroundColor"] == tone.paper
        assert section["textColor"] == tone.ink
        assert section["primaryColor"] == tone.accent
        assert (section["greenColor"], section["redColor"]) == (tone.good, tone.bad)


def test_every_package_is_pinned():
    lines = [
        line
        for file in ROOT.glob("requirements*.txt")
        for line in file.read_text("utf-8").splitlines()
    ]
    wanted = [line for line in lines if line and not line.startswith(("#", "-r"))]
    assert not [line for line in wanted if not re.fullmatch(r"[a-z0-9-]+==[\w.]+", line)]


def test_every_bad_input_of_the_numbered_list_has_a_test_that_names_it():
    # 1–85: what a file, a value, a key, a delivery, a workbook or a database can be wrong in
    texts = [path.read_text("utf-8") for path in (ROOT / "tests").rglob("test_*.py")]
    named = {int(number) for text in texts for number in re.findall(r'"""Fault (\d+)', text)}
    assert set(range(1, 86)) - named == set()
