"""Lists behind a number: one layout per list, one SQL text (questions/list.sql) for all of them."""

from __future__ import annotations

from dataclasses import dataclass

from analytics.sql.templates import load

CUSTOMER = ("customer_number.customer_id",)
LOAN = ("loan_number.loan_id", *CUSTOMER)
NAME = ("named.name_masked as name",)
PRODUCT = ("product.product_id as product",)
BRANCH = ("branch.branch_id as branch", "manager.manager_id as manager")
_NEWEST = (
    "arg_max(branch_key, valid_from) as branch_key,",
    "arg_max(manager_key, valid_from) as manager_key,",
)


@dataclass(frozen=True)
class ListLayout:
    """The columns of a list and the tables that they come from.

    Attributes
    ----------
    columns
        Select list over `page` (the rows), `named` (newest masked name of the customer), branch,
        manager, customer_number, and in lists of loans loan_number and product.
    order
        Columns of the rows in list order, such as "balance desc".
    loan_key
        Column of the rows that has the loan's key; None in a list of customers.
    branch_of
        Relation with branch_key and manager_key, and product_key in lists of loans: "page", a table
        of `joins`, or "named" for the newest version of the customer.
    joins
        Further tables that the columns read.
    """

    columns: tuple[str, ...]
    order: tuple[str, ...]
    loan_key: str | None = None
    branch_of: str = "page"
    joins: tuple[str, ...] = ()

    def sql(self, rows: str) -> str:
        """Return the text after `with`: one page of `rows`, a query without order.

        Its parameters are those of `rows`, limit and offset.
        """
        joins = list(self.joins)
        if self.loan_key:
            joins += [
                f"left join loan_number on loan_number.loan_key = page.{self.loan_key}",
                f"left join product on product.product_key = {self.branch_of}.product_key",
            ]
        return load(
            "questions/list",
            rows=rows.replace("\n", "\n    "),
            rows_order=", ".join(self.order),
            home="\n        ".join(_NEWEST) if self.branch_of == "named" else "",
            columns=",\n    ".join(self.columns),
            list_joins="\n".join(joins),
            branch_of=self.branch_of,
            page_order=", ".join(f"page.{column}" for column in self.order),
        )
