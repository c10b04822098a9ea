"""What a page shows, read back from a run of it."""

import json


def printed(test) -> str:
    """Everything that the page says through its own markup."""
    return "\n".join(block.proto.body for block in test.get("html"))


def charts(test) -> list[dict]:
    """The figures in the order of the page, as plotly draws them."""
    return [json.loads(chart.proto.spec) for chart in test.get("plotly_chart")]


def marks(figure: dict, trace: int = -1) -> dict[str, float]:
    """Code → length of the bars of one trace."""
    drawn = figure["data"][trace]
    return {mark[-1]: value for mark, value in zip(drawn["customdata"], drawn["x"], strict=True)}
