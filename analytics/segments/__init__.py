"""Segments beside the classes: the rulebook says what a customer is, the segments say how customers
behave.

`declared` the facts, `facts` their values and the later outcomes, `space` facts → numbers,
`cluster` candidates and the choice, `follow` names from month to month, `judge` what the segments
are worth against the classes, `explain` why, `fit` all of it once per edition, `kept` what pages
and the command line read. Only `cluster`, `judge` and `explain` import scikit-learn, and only `fit`
imports them: a page never fits.
"""
