"""The account's list of orders, page by page (GET /v2/orders): those that are open, or all since a time."""

from venues.alpaca.rest import Rest
from venues.alpaca.trading_wire import Order
from venues.venue import VenueMisspoke

ORDERS_PATH = "/v2/orders"
PAGE_ROWS, PAGES_MAX = 500, 200
"""Orders of a page, the most that the venue gives, and pages: as many as may be of fills (account), so that after
a long absence this is not what fails."""


async def listed(rest: Rest, status: str, after: str = "") -> list[Order]:
    """Orders that are `open` or `all`, oldest first, submitted after a moment (ISO 8601) where one is given.

    Raises VenueUnreachable and VenueMisspoke.
    """
    query = {"status": status, "limit": str(PAGE_ROWS), "direction": "asc", "nested": "false"}
    rows: dict[str, Order] = {}
    for _ in range(PAGES_MAX):
        page = await rest.must(tuple[Order, ...], ORDERS_PATH, query | ({"after": after} if after else {}))
        before = len(rows)
        rows |= {row.id: row for row in page}
        if len(page) < PAGE_ROWS:
            return list(rows.values())
        if len(rows) == before:
            break
        after = page[-1].submitted_at or page[-1].created_at or ""
    raise VenueMisspoke(f"{ORDERS_PATH}: {status} orders do not come to an end after {len(rows)}")
