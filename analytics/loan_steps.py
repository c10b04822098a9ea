"""A month of loans: what fell due and what came, added to the month before → state, class and values of each loan."""

from __future__ import annotations

from datetime import date

from analytics.course import MARTS, Course, assumptions, columns_of, fragment, insert_rows, run_step
from analytics.layout import class_code, class_sql, in_force, lines, shift, shifted
from data.engine import Workshop


class LoanSteps:
    """The loans of one build. A month's loans stand in the table `values(month)` until the month after the next is
    made: rows and customers may be made of them while the next month's are under way.
    """

    def __init__(self, shop: Workshop, course: Course) -> None:
        self.shop, self.course = shop, course
        self.before = "loan_now"

    def begin(self) -> None:
        """The lives of all loans and their settlements, and the state from which the first month starts."""
        course = self.course
        run_step(self.shop, "loan_life.sql", {})
        run_step(self.shop, "settlement.sql", {})
        run_step(
            self.shop,
            "loan_state.sql",
            {},
            **{code.name: code.type for code in course.layout.loan_codes},
            loan_histories=lines([f"history_{s.id} ubigint" for s in course.loan_boards]),
        )
        self.carried = columns_of(self.shop, "loan_now")
        if not course.is_opening:
            course.resume(self.shop, "loan_now", "loan_state", self.carried)
            course.resume(self.shop, "instalment_now", "instalment_open", columns_of(self.shop, "instalment_now"))
        run_step(self.shop, "loan_now.sql", course.bound(course.months[0]))

    def values(self, month: date) -> str:
        return f"loan_values_{self.course.months.index(month) % 2}"

    def month(self, month: date) -> None:
        """Make the table `values(month)`; the months come in their order."""
        bound, carried, made = self.course.bound(month), ", ".join(self.carried), self.values(month)
        self._class_values(month)
        if self.course.has_events:
            run_step(self.shop, "instalment_due.sql", bound)
            run_step(self.shop, "loan_due.sql", bound, carried=carried, before=self.before)
            run_step(self.shop, "instalment_open.sql", bound)
            run_step(self.shop, "first_payment.sql", bound)
        facts = "loan_facts.sql" if self.course.has_events else "loan_snapshot_facts.sql"
        boards = self.course.loan_boards
        history = {s.id: f"case when loan.has_row then {class_code(s, f'loan.{s.id}')} end" for s in boards}
        run_step(
            self.shop,
            "loan_values.sql",
            bound,
            made=made,
            facts=(MARTS / facts).read_text(encoding="utf-8"),
            carried=carried,
            dates=fragment("loan_dates"),
            graded=lines([f"{class_sql(s, month)} as {s.id}" for s in self.course.by_loan]),
            histories=", ".join(f"loan.history_{s.id}" for s in boards),
            shifted=lines([shifted(s, f"loan.history_{s.id}", history[s.id]) for s in boards]),
        )
        if self.course.has_events:
            self.before = made
        else:
            self._carry(made, carried)

    def keep(self) -> None:
        """What the last month hands on to the next load."""
        bound = self.course.bound(self.course.months[-1])
        run_step(self.shop, "loan_kept.sql", bound, carried=", ".join(self.carried), before=self.before)

    def _carry(self, made: str, carried: str) -> None:
        """A bank without events keeps all its loans in loan_now; the month's rows tell the state of some."""
        shifts = {s.id: shift(s, f"known.history_{s.id}", "null") for s in self.course.loan_boards}
        run_step(
            self.shop,
            "loan_carried.sql",
            {},
            made=made,
            carried=carried,
            histories=", ".join(f"history_{name}" for name in shifts),
            shifted=lines(
                [
                    f"case when month.loan_key is not null then month.history_{name} else {sql} end as history_{name}"
                    for name, sql in shifts.items()
                ]
            ),
        )

    def _class_values(self, month: date) -> None:
        """What a class of loan_five stands for this month: non-performing or not, its provision rate and PD."""
        book, pd = in_force(self.course.five, month), assumptions(month)["pd"]
        general = book.parameters["general_provision_rate"].value if book else 0
        rows = [
            (
                item.code,
                book.attribute(item.code, "is_npl"),
                pd.get(item.code, 0.0),
                book.attribute(item.code, "provision_rate") + general,
            )
            for item in (book.classes if book else ())
        ]
        self.shop.run(
            "create or replace temp table class_values (code varchar, npl boolean, pd double, provision double)",
            "class_values",
        )
        insert_rows(self.shop, "class_values", rows)
