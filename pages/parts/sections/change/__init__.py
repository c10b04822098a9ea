"""Why a metric changed: comparison, significance, effects of the parts, money bridge."""
