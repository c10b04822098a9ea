"""Segments beside the classes: rulebooks grade a customer, segments describe how customers behave.

A fit runs `pipeline` once per edition and stores the result; pages and the command line only read
`report`, which imports no scikit-learn:

    definitions → features → feature_space → selection (cluster, evaluation) → fitted_month
    (tracking) → payload (explain) → store → report (fit_tables)
"""
