"""Why a metric changed: attribution, significance, migration, cohorts, forecast, narrative."""
