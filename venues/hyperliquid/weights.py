"""What a request to /info costs, of the 1200 that an IP address may spend a minute, and how long its answer can be.

Source: the venue's page on rate limits: 2 for what is cheap to answer, 60 for userRole, 20 for the rest; more by the
rows of the answer, which are known only afterwards, so `weight_max` is what has to be free before asking. Parts of a
step of rows count as a whole one here; the page does not say.
"""

WEIGHT_OTHERWISE = 20

WEIGHTS = {
    "allMids": 2,
    "clearinghouseState": 2,
    "exchangeStatus": 2,
    "l2Book": 2,
    "orderStatus": 2,
    "spotClearinghouseState": 2,
    "userRole": 60,
}

ROWS_A_WEIGHT = {
    "candleSnapshot": 60,
    "fundingHistory": 20,
    "historicalOrders": 20,
    "userFills": 20,
    "userFillsByTime": 20,
    "userFunding": 20,
    "userNonFundingLedgerUpdates": 20,
}
"""So many rows of an answer, or a part of them, cost one more."""

FILL_ROWS_MAX = 2_000

ROWS_MAX = {
    "candleSnapshot": 5_000,
    "fundingHistory": 2_000,  # 500 by the page, 1,038 in a recording of 2023
    "historicalOrders": 2_000,
    "userFills": FILL_ROWS_MAX,
    "userFillsByTime": FILL_ROWS_MAX,
    "userFunding": 2_000,
    "userNonFundingLedgerUpdates": 2_000,
}
"""The longest answer; a longer one than expected costs more, never less, so these are round and not small."""


def weight_of(kind: str, rows: int = 0) -> int:
    """The cost of a request of a kind whose answer has so many rows."""
    step = ROWS_A_WEIGHT.get(kind)
    return WEIGHTS.get(kind, WEIGHT_OTHERWISE) + (-(-rows // step) if step else 0)


def weight_max(kind: str, rows_max: int | None = None) -> int:
    """The most it can cost, where no answer is longer than `rows_max` or, if that is not known, than any is."""
    most = ROWS_MAX.get(kind, 0)
    return weight_of(kind, most if rows_max is None else min(rows_max, most))
