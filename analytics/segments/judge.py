"""What segments are worth: how well classes and segments order what came later, alone and together.

Everything is out of time: segments and classes as of a month end, outcomes of the twelve months after. The score of a
class or a segment is the rate of its members in a plain logistic model, told by five-fold cross-validation, so that nobody
is scored by his own outcome. AUC is the area under the ROC curve, Gini = 2·AUC − 1, KS the greatest gap between the
cumulative shares of the two outcomes (Siddiqi 2006).
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score, roc_curve
from sklearn.model_selection import StratifiedKFold
from statsmodels.stats.proportion import proportion_confint

FOLDS = 5
DRAWS = 200
FEWEST_EVENTS = 20
"""Of each outcome, below which nothing is said about order."""
TOP = 0.8
"""Contribution counts as high above this quantile."""
GOOD, BAD = 2 / 3, 1.5
"""Later overdue, as a multiple of all customers', up to which a class or segment is good and from which it is bad."""
SMALL = 30


def usefulness(labels: np.ndarray, outcomes: pd.DataFrame | None, seed: int) -> dict[str, float | None]:
    """Out-of-time figures of one labelling: Gini of later overdue and of reloan, share of contribution's variance."""
    told: dict[str, float | None] = {"overdue_gini": None, "reloan_gini": None, "contribution_share": None}
    if outcomes is None:
        return told
    for outcome in ("overdue", "reloan"):
        y = outcomes[outcome].to_numpy()
        known = ~np.isnan(y)
        if _enough(y[known]):
            scores = crossed([labels[known]], y[known], seed)
            told[f"{outcome}_gini"] = float(2 * roc_auc_score(y[known], scores) - 1)
    ranks = outcomes["contribution"].rank()
    if ranks.notna().sum() > SMALL and ranks.std() > 0:
        between = ranks.groupby(labels).transform("mean")
        told["contribution_share"] = float(between[ranks.notna()].var(ddof=0) / ranks.var(ddof=0))
    return told


def crossed(kinds: list[np.ndarray], y: np.ndarray, seed: int) -> np.ndarray:
    """Out-of-fold probabilities of a logistic model on indicators of the kinds, each an array of one code per customer."""
    codes = [np.unique(kind, return_inverse=True)[1] for kind in kinds]
    joint = np.zeros(len(y), dtype=np.int64)
    for code in codes:
        joint = joint * (code.max() + 1) + code
    # Members of one cell have one score: the model is fitted on cells with their counts, not on a million rows.
    _, first, cell = np.unique(joint, return_index=True, return_inverse=True)
    hot = np.hstack([code[first][:, None] == np.arange(code.max() + 1)[None, :] for code in codes]).astype(float)
    scores = np.empty(len(y))
    for learn, ask in StratifiedKFold(FOLDS, shuffle=True, random_state=seed).split(cell, y):
        hits = np.bincount(cell[learn], weights=y[learn], minlength=len(hot))
        weight = np.concatenate([np.bincount(cell[learn], minlength=len(hot)) - hits, hits])
        used = weight > 0
        model = LogisticRegression(C=10.0, max_iter=500)
        model.fit(np.vstack([hot, hot])[used], np.repeat([0, 1], len(hot))[used], sample_weight=weight[used])
        scores[ask] = model.predict_proba(hot)[:, 1][cell[ask]]
    return scores


def validation(segments: np.ndarray, classes: pd.Series, outcomes: pd.DataFrame, seed: int) -> list[dict]:
    """Class, segment and both against every outcome, on the customers who have both.

    Rows: outcome, n, events, auc, gini, ks for each of class, segment, both; gain (AUC of both − class) with its 95 %
    interval over customers drawn anew; verdict: adds, nothing, or too_few.
    """
    graded = classes.notna().to_numpy() & ~classes.isin(["unrated", "new", "no_loan"]).to_numpy()
    rows = []
    for outcome, y in targets(outcomes).items():
        known = graded & ~np.isnan(y)
        row: dict = {"outcome": outcome, "n": int(known.sum()), "events": int(np.nansum(y[known]))}
        mine, told = y[known], pd.factorize(classes[known])[0]
        if len(np.unique(told)) < 2:
            rows.append(row | {"verdict": "one_class"})
            continue
        if not _enough(mine):
            rows.append(row | {"verdict": "too_few"})
            continue
        parts = {"class": [told], "segment": [segments[known]], "both": [told, segments[known]]}
        scores = {name: crossed(part, mine, seed) for name, part in parts.items()}
        for name, score in scores.items():
            auc = float(roc_auc_score(mine, score))
            seen, hit, _ = roc_curve(mine, score)
            row |= {f"{name}_auc": auc, f"{name}_gini": 2 * auc - 1, f"{name}_ks": float(np.max(hit - seen))}
        low, high = _gain(mine, scores["both"], scores["class"], seed)
        row |= {"gain": row["both_auc"] - row["class_auc"], "gain_low": low, "gain_high": high}
        rows.append(row | {"verdict": "adds" if low > 0 else "nothing"})
    return rows


def targets(outcomes: pd.DataFrame) -> dict[str, np.ndarray]:
    """Outcome → 1, 0 or missing, for overdue, reloan and a later contribution in the bank's top fifth."""
    paid = outcomes["contribution"].to_numpy(dtype=float)
    high = np.where(np.isnan(paid), np.nan, paid > np.nanquantile(paid, TOP)) if (~np.isnan(paid)).any() else paid
    return {"overdue": outcomes["overdue"].to_numpy(), "reloan": outcomes["reloan"].to_numpy(), "contribution": high}


def _gain(y: np.ndarray, one: np.ndarray, other: np.ndarray, seed: int) -> tuple[float, float]:
    """95 % percentile interval of AUC(one) − AUC(other), the same customers drawn anew for both.

    Customers with the same scores and outcome are interchangeable: a draw of customers is a multinomial draw of their cells.
    """
    firsts, a = np.unique(one, return_inverse=True)
    seconds, b = np.unique(other, return_inverse=True)
    cells, counts = np.unique((a * len(seconds) + b) * 2 + y.astype(np.int64), return_counts=True)
    hit, a, b = cells % 2, cells // 2 // len(seconds), cells // 2 % len(seconds)
    drawn = np.random.default_rng(seed).multinomial(len(y), counts / counts.sum(), DRAWS)
    found = [_auc(draw, hit, a, len(firsts)) - _auc(draw, hit, b, len(seconds)) for draw in drawn]
    low, high = np.nanpercentile(found, [2.5, 97.5])
    return float(low), float(high)


def _auc(counts: np.ndarray, hit: np.ndarray, place: np.ndarray, size: int) -> float:
    """Area under the ROC curve of counted customers, by the place of their score in ascending order (ties half)."""
    bad = np.bincount(place, weights=counts * hit, minlength=size)
    good = np.bincount(place, weights=counts * (1 - hit), minlength=size)
    before = np.concatenate([[0], np.cumsum(good)[:-1]])
    pairs = bad.sum() * good.sum()
    return float((bad * (before + good / 2)).sum() / pairs) if pairs else np.nan


def _enough(y: np.ndarray) -> bool:
    return min(y.sum(), len(y) - y.sum()) >= FEWEST_EVENTS


def rates(groups: pd.Series, outcomes: pd.DataFrame) -> dict[str, dict]:
    """Group → what became of it: rate, low, high (95 %, Wilson 1927), n of overdue and reloan; mean net contribution, CNY a
    customer, with its normal 95 % interval; lift of overdue over all customers'; verdict good, bad or plain."""
    codes, kinds = pd.factorize(groups, sort=True)
    overall = float(outcomes["overdue"].mean()) if outcomes["overdue"].notna().any() else 0.0
    sums = {name: _sums(codes, outcomes[name].to_numpy(dtype=float), len(kinds)) for name in outcomes.columns}
    found = {}
    for place, kind in enumerate(kinds):
        told: dict = {}
        for outcome in ("overdue", "reloan"):
            n, total, _ = (part[place] for part in sums[outcome])
            told[outcome] = share(int(total), int(n))
        n, total, squares = (part[place] for part in sums["contribution"])
        centre = total / n if n else None
        spread = 1.96 * np.sqrt(max(squares / n - centre**2, 0) / (n - 1)) if n > 1 else None
        told["contribution"] = {
            "rate": centre,
            "low": None if spread is None else float(centre - spread),
            "high": None if spread is None else float(centre + spread),
            "n": int(n),
        }
        told["verdict"], told["lift"] = "plain", None
        if told["overdue"]["n"] and overall > 0:
            told["lift"] = told["overdue"]["rate"] / overall
            told["lift_low"], told["lift_high"] = told["overdue"]["low"] / overall, told["overdue"]["high"] / overall
            if told["overdue"]["n"] >= SMALL:
                told["verdict"] = "good" if told["lift"] <= GOOD else "bad" if told["lift"] >= BAD else "plain"
        found[str(kind)] = told
    return found


def _sums(codes: np.ndarray, y: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Per group: how many are known, their sum, their sum of squares."""
    known = ~np.isnan(y) & (codes >= 0)
    mine, told = codes[known], y[known]
    return tuple(np.bincount(mine, weights=w, minlength=count) for w in (None, told, told**2))


def share(hits: int, n: int) -> dict:
    """A share with its Wilson interval."""
    if not n:
        return {"rate": None, "low": None, "high": None, "n": 0}
    low, high = proportion_confint(hits, n, method="wilson")
    return {"rate": hits / n, "low": float(low), "high": float(high), "n": n}
