"""逾期: how much of the book is late, who carries it, and since when."""

from analytics import figures
from analytics.declared import METRICS
from analytics.text import say
from pages.parts import bank, charts, choice, drill, tiles, words

here = choice.now()
dark, lang = tiles.is_dark(), here.lang
metric = charts.picker(
    here, "metric", ("overdue_rate", "overdue_rate_30", "overdue_rate_60", "overdue_rate_90"),
    lambda id: METRICS[id].name[lang], say("page.overdue", lang),
)  # fmt: skip
whole = bank.about(here, metric, last=36)
answer = bank.ask(whole)
title = words.level(metric, bank.whole(bank.about(here, metric), lang)[0], here.as_of, here.against, lang)
charts.show(here, "trend", title, figures.trend(answer, METRICS[metric], lang, dark=dark), answer, whole, ("as_of",))
split = bank.about(here, metric, ("class",), compare=False)
by_class = bank.ask(split)
names = bank.labels("class", lang, here.scheme)
charts.show(
    here, "class", words.extreme(here, metric, "class"),
    figures.bars(
        by_class, METRICS[metric], "class", names, lang, dark=dark, order=list(names), whole=answer["value"].iloc[-1]
    ),
    by_class, split, ("class",),
)  # fmt: skip
drill.show(here)
