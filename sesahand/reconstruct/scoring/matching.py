"""Which found hand is which requested one: the cheapest assignment, exactly."""

from collections.abc import Sequence

from ...errors import SesaHandError

MOST_HANDS = 200
"""In a picture: every hand is compared with every other one, and the assignment is cubic in them."""


def check_number(requested: int, found: int, label: str) -> None:
    """Refuse more hands in a picture than can be compared with each other.

    Args:
        requested: How many hands there should be.
        found: How many there are.
        label: What the picture is called in the message.

    Raises:
        SesaHandError: If one of them is more than `MOST_HANDS`.
    """
    if max(requested, found) > MOST_HANDS:
        raise SesaHandError(
            f"{label} has {requested} wanted and {found} found hands, expected at most {MOST_HANDS} of each in one "
            "picture: every one is compared with every other. Leave hands out, or check where they come from."
        )


def assign(costs: Sequence[Sequence[float]], limit: float) -> list[int | None]:
    """Give each row at most one column, and each column to at most one row, at the least total cost.

    A row without a column costs `limit`. So a pair that costs more is never made, and one pair is not made worse for
    the sake of a hopeless other one.

    Args:
        costs: One row of finite or infinite numbers for each requested hand, a column for each found one.
        limit: Cost of leaving a row alone.

    Returns:
        The column of each row, or None.

    Raises:
        SesaHandError: If a cost is NaN or the rows differ in length.

    Source: the Hungarian method (Kuhn, 1955) with potentials and shortest augmenting paths, as in Jonker and Volgenant
    (1987); cubic in the number of hands.
    """
    columns = len(costs[0]) if costs else 0
    if any(len(row) != columns for row in costs) or any(cost != cost for row in costs for cost in row):
        raise SesaHandError(f"Costs of an assignment must be rows of the same length without NaN, got {costs!r:.80}.")
    # A column of its own for every row to stay alone in; what costs more than that loses to it anyhow.
    rows = [[min(cost, 2 * limit + 1) for cost in row] + [limit] * len(costs) for row in costs]
    owner = _solve(rows)
    chosen = {row: column for column, row in owner.items()}
    return [chosen[row] if chosen[row] < columns else None for row in range(len(costs))]


def _solve(costs: list[list[float]]) -> dict[int, int]:
    """Return the row of each column that has one; there are at least as many columns as rows."""
    width = len(costs[0]) if costs else 0
    row_price, column_price = [0.0] * len(costs), [0.0] * width
    owner: dict[int, int] = {}
    for start in range(len(costs)):
        # Dijkstra's search for the cheapest way to free a column, over costs less prices, which are never negative.
        slack = [float("inf")] * width
        came_from: list[int | None] = [None] * width
        done: set[int] = set()
        row: int | None = start
        column: int | None = None
        while row is not None:
            best, next_column = float("inf"), -1
            for j in (j for j in range(width) if j not in done):
                reduced = costs[row][j] - row_price[row] - column_price[j]
                if reduced < slack[j]:
                    slack[j], came_from[j] = reduced, column
                if slack[j] < best:
                    best, next_column = slack[j], j
            row_price[start] += best
            for j in done:
                row_price[owner[j]] += best
                column_price[j] -= best
            slack = [value - best for value in slack]
            done.add(next_column)
            column, row = next_column, owner.get(next_column)
        while column is not None:
            previous = came_from[column]
            owner[column] = start if previous is None else owner[previous]
            column = previous
    return owner
