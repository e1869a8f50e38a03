"""Marks: one touch a second for those who need prices but not every book, so that risk stays off the tick path."""

from typing import ClassVar

from actors.messages import Imbalance, Mark
from supervisor.mailbox import Hears, latest
from supervisor.messages import ChildStarted, Tick


class Marks:
    """The mind. Its mailbox is read once a second and keeps the newest book of each symbol meanwhile."""

    hears: ClassVar[tuple[Hears, ...]] = (Hears(ChildStarted), Hears(Tick), latest(Imbalance))
    says: ClassVar[tuple[type, ...]] = (Mark,)
    every_s: ClassVar[float] = 1.0
    paced: ClassVar[bool] = True

    def __init__(self) -> None:
        self.said: dict[str, tuple[float, float]] = {}

    def hear(self, message: Imbalance | ChildStarted | Tick) -> tuple[Mark, ...]:
        if type(message) is Imbalance:
            touch = (message.bid, message.ask)
            if self.said.get(message.symbol) == touch:
                return ()
            self.said[message.symbol] = touch
            return (Mark(message.symbol, message.at_ns, *touch),)
        if type(message) is ChildStarted:
            self.said.clear()  # whoever started has heard no mark yet, moved or not
        return ()
