"""The life of an order as a table: state x event -> state."""

from enum import StrEnum


class OrderState(StrEnum):
    """Where an order is in its life."""

    PLANNED = "planned"  # approved, not known to be on disk
    SENT = "sent"  # on disk and given to the venue, no verdict yet
    RESTING = "resting"  # the venue has it
    CANCELLING = "cancelling"  # a cancel or replace is under way
    UNKNOWN = "unknown"  # the venue's answer was lost; closes only by proof
    FILLED = "filled"
    CANCELLED = "cancelled"
    REJECTED = "rejected"
