"""总览: one sentence, six tiles, the tier board, why the figure moved, and what needs a decision."""

from analytics.declared import METRICS
from analytics.text import say
from pages.parts import alerts, boards, charts, choice, effects, tables, tiles, warm, why

here = choice.now()
lang = here.lang
boards.begin()
before = why.against(here)
why.verdicts(here, why.asked_of(here, warm.BOARD[0], ("class",)), before, lead=True, moved_only=True)
tiles.show(here, warm.TILES, warm.SECONDS)
tables.board(here, (warm.SIZE, *warm.BOARD), parts={warm.SIZE: tables.SHARES})
metric = charts.picker(here, "why", warm.BOARD, lambda id: METRICS[id].name[lang], say("changes.why", lang))
effects.board(here, why.asked_of(here, metric, ("class",)), before)
alerts.show(here)
