"""What the reader looks at: month, comparison, scheme, branch, filters; kept in the URL as codes.

The URL is the memory: a copied link, a reload and the browser's back button all show the same view
in either language. Values that the warehouse does not have are replaced by the nearest valid one,
and the page says so. No customer number ever stands in a URL.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace

import streamlit as st

from analytics.i18n.text import LANGUAGES, listing, month, say

COMPARE = ("mom", "yoy", "none")
OPENINGS = (3, 1, 12, 0)
FILTER_PREFIX = "f."
UNKNOWN_PAGE = "lost"
_HEADER_PARAMS = {"asof", "vs", "scheme", "opening", "lang", "branch", UNKNOWN_PAGE}


@dataclass(frozen=True)
class SelectionOptions:
    """What one edition of the warehouse can show.

    Parameters
    ----------
    months
        Month ends as ISO dates, oldest first.
    schemes
        Scheme ids, the default first.
    branches
        Branch code → its path from the top, the branch itself last.
    dimensions
        The columns that a filter may name.
    values
        The codes of one of these columns.
    """

    months: tuple[str, ...]
    schemes: tuple[str, ...]
    branches: Mapping[str, tuple[str, ...]]
    dimensions: Collection[str]
    values: Callable[[str], Collection[str]]


@dataclass(frozen=True)
class Selection:
    """What one page view shows.

    Parameters
    ----------
    as_of
        Month end as an ISO date.
    opening
        Months before `as_of` at which the tier is taken; 0 for today's.
    branch
        Path of branch codes from the top.
    where
        (column, codes) in the order in which they were chosen.
    page_params
        (name, value) of the switches that belong to one page.
    """

    as_of: str
    compare: str = "mom"
    scheme: str = ""
    opening: int = 3
    branch: tuple[str, ...] = ()
    where: tuple[tuple[str, tuple[str, ...]], ...] = ()
    lang: str = LANGUAGES[0]
    page_params: tuple[tuple[str, str], ...] = ()

    def page_param(self, name: str, options: Sequence[str], default: str | None = None) -> str:
        """Return a page's own switch; an unknown value gives the default, else the first option."""
        value = dict(self.page_params).get(name)
        if value is not None and value in options:
            return value
        return options[0] if default is None else default

    @property
    def filters(self) -> tuple[tuple[str, tuple[str, ...]], ...]:
        """Everything that narrows the rows: the branch as a filter on its level, then `where`."""
        if not self.branch:
            return self.where
        return ((f"branch_{len(self.branch)}", (self.branch[-1],)), *self.where)

    @property
    def branch_dimension(self) -> str:
        """The branch dimension one level below the selected branch; the lowest has none below."""
        return f"branch_{min(len(self.branch) + 1, 3)}"

    @property
    def comparison(self) -> str | None:
        """The comparison as a question takes it."""
        return None if self.compare == "none" else self.compare


def available_openings(options: SelectionOptions) -> list[int]:
    """Return the openings for which the warehouse has enough months; 0 is always among them."""
    return [months for months in OPENINGS if months < len(options.months)]


# A value of the URL that had to be replaced: locale key and the values of its sentence.
Correction = tuple[str, dict[str, str]]


def default_selection(options: SelectionOptions, lang: str = LANGUAGES[0]) -> Selection:
    """Return the view without parameters: the newest month, the first scheme, the whole bank."""
    return Selection(
        as_of=options.months[-1],
        scheme=options.schemes[0],
        opening=available_openings(options)[0],
        lang=lang,
    )


def to_url_params(selection: Selection) -> dict[str, list[str]]:
    """Return the query parameters of a selection, in a fixed order."""
    params = {
        "asof": [selection.as_of],
        "vs": [selection.compare],
        "scheme": [selection.scheme],
        "opening": [str(selection.opening)],
        "lang": [selection.lang],
    }
    if selection.branch:
        params["branch"] = [selection.branch[-1]]
    params |= {f"{FILTER_PREFIX}{column}": list(codes) for column, codes in selection.where}
    params |= {name: [value] for name, value in selection.page_params}
    return params


def from_url_params(
    params: Mapping[str, Sequence[str]], options: SelectionOptions
) -> tuple[Selection, list[Correction]]:
    """Return the nearest valid selection of query parameters, and what had to be replaced."""
    return _UrlReader(params, options).read()


class _UrlReader:
    """Reads one address; `corrections` collects what had to be replaced."""

    def __init__(self, params: Mapping[str, Sequence[str]], options: SelectionOptions) -> None:
        self.params = params
        self.options = options
        self.corrections: list[Correction] = []
        self.lang = LANGUAGES[0]

    def read(self) -> tuple[Selection, list[Correction]]:
        self.lang = self._language()
        self._unknown_page()
        as_of = self._month()
        branch = self._branch()
        where = self._filters()
        openings = [str(months) for months in available_openings(self.options)]
        selection = Selection(
            as_of=as_of,
            compare=self._one_of("vs", COMPARE, "compare"),
            scheme=self._one_of("scheme", self.options.schemes, "scheme"),
            opening=int(self._one_of("opening", openings, "opening")),
            branch=branch,
            where=where,
            lang=self.lang,
            page_params=self._page_params(),
        )
        return selection, self.corrections

    def _last(self, name: str) -> str | None:
        values = self.params.get(name)
        return values[-1] if values else None

    def _correct(self, key: str, **values: str) -> None:
        self.corrections.append((f"address.{key}", values))

    def _one_of(self, name: str, allowed: Sequence[str], label: str) -> str:
        value = self._last(name)
        if value is None:
            return allowed[0]
        if value not in allowed:
            words = say(f"head.{label}", self.lang)
            self._correct("unknown_choice", label=words, value=value, used=allowed[0])
            return allowed[0]
        return value

    def _language(self) -> str:
        value = self._last("lang")
        if value is None:
            return LANGUAGES[0]
        if value in LANGUAGES:
            return value
        self._correct("unknown_choice", label="lang", value=value, used=LANGUAGES[0])
        return LANGUAGES[0]

    def _unknown_page(self) -> None:
        page = self._last(UNKNOWN_PAGE)
        if page is not None:
            self._correct("unknown_page", value=page, used=say("page.overview", self.lang))

    def _month(self) -> str:
        months = self.options.months
        value = self._last("asof")
        if value is None:
            return months[-1]
        if value in months:
            return value
        same_month = next((day for day in months if day[:7] == value[:7]), None)
        as_of = same_month or max((day for day in months if day <= value), default=months[0])
        if value != as_of[:7]:
            self._correct("unknown_month", value=value, used=month(as_of, self.lang))
        return as_of

    def _branch(self) -> tuple[str, ...]:
        code = self._last("branch")
        if code is None:
            return ()
        path = self.options.branches.get(code, ())
        if not path:
            self._correct("unknown_value", label=say("head.branch", self.lang), value=code)
        return path

    def _filters(self) -> tuple[tuple[str, tuple[str, ...]], ...]:
        where = []
        for name, codes in self.params.items():
            if not name.startswith(FILTER_PREFIX):
                continue
            column = name.removeprefix(FILTER_PREFIX)
            if column not in self.options.dimensions:
                self._correct("unknown_filter", value=column)
                continue
            allowed = self.options.values(column)
            for code in codes:
                if code not in allowed:
                    self._correct("unknown_value", label=column, value=code)
            allowed_codes = tuple(dict.fromkeys(code for code in codes if code in allowed))
            if allowed_codes:
                where.append((column, allowed_codes))
        return tuple(where)

    def _page_params(self) -> tuple[tuple[str, str], ...]:
        return tuple(
            (name, values[-1])
            for name, values in self.params.items()
            if name not in _HEADER_PARAMS and not name.startswith(FILTER_PREFIX) and values
        )


def describe_corrections(corrections: Sequence[Correction], lang: str) -> str:
    """Return one sentence for everything that was replaced in an address."""
    parts = [
        say(key, lang, **{name: value[:40] for name, value in values.items()})
        for key, values in corrections
    ]
    return say("address.corrected", lang) + listing(parts, lang)


def sync_with_url(options: SelectionOptions, page: str) -> tuple[Selection, list[Correction]]:
    """Bring URL and session together at the start of a run.

    The URL wins when it differs from what was last written: a link, a reload, back or forward.
    A page reached without parameters keeps the selection of the session.
    """
    state = st.session_state
    params = _url()
    is_menu_click = state.get("page") != page and not params
    if "choice" not in state or (params != state.get("address") and not is_menu_click):
        state.choice, corrections = from_url_params(params, options)
    else:
        state.choice, corrections = from_url_params(to_url_params(state.choice), options)
    state.page = page
    _write_url()
    return state.choice, corrections


def current_selection() -> Selection:
    """Return the selection of this run."""
    return st.session_state.choice


def update_selection(**fields: object) -> None:
    """Replace fields of the selection and write the URL. For callbacks of widgets."""
    st.session_state.choice = replace(st.session_state.choice, **fields)
    _write_url()


def set_param(**values: str | None) -> None:
    """Set (or, with None, drop) switches of the page, as one step in the browser's history.

    For callbacks.
    """
    others = without_params(current_selection(), *values).page_params
    new_params = ((name, value) for name, value in values.items() if value is not None)
    update_selection(page_params=(*others, *new_params))


def without_params(selection: Selection, *names: str) -> Selection:
    """Return the selection without some of the page's own switches."""
    others = tuple(entry for entry in selection.page_params if entry[0] not in names)
    return replace(selection, page_params=others)


def filter_by(column: str, codes: Sequence[str]) -> None:
    """Set the filter on one column; no codes drops it. For callbacks."""
    where = tuple(entry for entry in current_selection().where if entry[0] != column)
    if codes:
        where = (*where, (column, tuple(codes)))
    update_selection(where=where)


def link_params() -> dict[str, list[str]]:
    """Return the query parameters of a link to another page: all but the page's own switches."""
    return to_url_params(replace(current_selection(), page_params=()))


def _url() -> dict[str, list[str]]:
    return {name: st.query_params.get_all(name) for name in st.query_params}


def _write_url() -> None:
    params = to_url_params(st.session_state.choice)
    if _url() != params:
        st.query_params.from_dict(params)
    st.session_state.address = params
    st.session_state.lang = st.session_state.choice.lang
