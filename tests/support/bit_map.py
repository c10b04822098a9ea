"""Write the bit map of analytics/marts/README.md from the row layout of the marts."""

from pathlib import Path

from analytics import rulebooks
from analytics.marts.row_layout import RowLayout

README = Path(__file__).parents[2] / "analytics" / "marts" / "README.md"
BEGIN = "<!-- bit map: begin -->"
END = "<!-- bit map: end -->"


def bit_map() -> str:
    """Return the bit map under the rulebooks of data/rulebooks, as a Markdown table."""
    schemes = rulebooks.read_schemes().values()
    loan_schemes = [scheme for scheme in schemes if scheme.grain == "loan"]
    customer_schemes = [scheme for scheme in schemes if scheme.grain == "customer"]
    return RowLayout(loan_schemes, customer_schemes).bit_map()


def with_bit_map(text: str) -> str:
    """Return a text with the bit map between its markers replaced."""
    before, rest = text.split(BEGIN)
    _, after = rest.split(END)
    return f"{before}{BEGIN}\n{bit_map()}\n{END}{after}"


if __name__ == "__main__":
    README.write_text(with_bit_map(README.read_text("utf-8")), "utf-8")
