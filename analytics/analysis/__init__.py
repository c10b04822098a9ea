"""Why a figure changed and whether it is real: attribution, significance, migration, cohorts, forecast, narrative."""
