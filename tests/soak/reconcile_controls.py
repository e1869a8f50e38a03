"""Reconcilers and ledgers that are known to be wrong: a machine that does not find them out proves nothing."""

from actors.ledger import LedgerMind
from actors.reconciler import Reconciler, ReconcilerMind
from risk.ledger.books import Books
from risk.ledger.foreign import Foreign
from venues.market import Rejected
from venues.venue import VenueMisspoke, VenueUnreachable

RIGHT = "right"


class Deaf:
    """A venue whose failed answers are empty ones."""

    def __init__(self, venue):
        self.venue = venue

    def __getattr__(self, name):
        return getattr(self.venue, name)

    async def positions(self):
        """Nothing, where nobody answers."""
        try:
            return await self.venue.positions()
        except (VenueUnreachable, VenueMisspoke):
            return ()


class FailedIsFlat(Reconciler):
    """A question that failed is read as flat (what NautilusTrader forbids by rule, and its users report)."""

    def __init__(self, mind, venue, told, limits):
        super().__init__(mind, Deaf(venue), told, limits)


class HastyMind(ReconcilerMind):
    """Acts on what it sees once."""

    def lasting(self, asked_ns, now_ns, seen):
        """All of it."""
        self.suspects = dict.fromkeys(seen, now_ns)
        return list(seen)


class NoGrace(Reconciler):
    """A difference is acted on when it is first seen."""

    def __init__(self, mind, venue, told, limits):
        super().__init__(HastyMind(mind.engine), venue, told, limits)


class Unasked(Reconciler):
    """What the ledger was told is taken for written: this repository until November 2026."""

    async def _booked(self, post):
        self._listen(post)
        return self.mind.whole


class Unfenced(Reconciler):
    """The venue does not know an order: then it never arrived."""

    async def _settle(self, post, order):
        try:
            found = await self.venue.find(order.symbol, order.order_id)
        except (VenueUnreachable, VenueMisspoke):
            return
        if found is None:
            why, now_ns = "the venue does not know it", post.clock.now_ns()
            post.say(Rejected(post.engine, order.order_id, order.symbol, why, now_ns))
            return
        await super()._settle(post, order)


class OwnAreStrays(ReconcilerMind):
    """Forgets that an order without a verdict is one."""

    def hear(self, message):
        """Not of those that were just sent."""
        if getattr(message, "state", "") != "sent":
            super().hear(message)


class SentAreStrays(Reconciler):
    """An order that is on its way is nobody's."""

    def __init__(self, mind, venue, told, limits):
        super().__init__(OwnAreStrays(mind.engine), venue, told, limits)


class NewIds(Foreign):
    """Ids of adoptions have a time in them (NautilusTrader #3878)."""

    last_ns = 0

    def fold_adoption(self, one):
        """Remember when."""
        self.last_ns = one.as_of_ns
        super().fold_adoption(one)

    def id_of(self, engine, symbol, ledger_lots, venue_lots):
        """What and when."""
        return f"{super().id_of(engine, symbol, ledger_lots, venue_lots)}-{self.last_ns}"


class OnTop(Foreign):
    """A fill that comes late is booked on top of what was adopted for it."""

    def undoing(self, fill):
        """Nothing."""
        return None


class Forgetful(Books):
    """Does not know which fills it has booked."""

    def _knows(self, engine, entry_id, at_ns):
        return False


def mind_of(foreign=Foreign, books=None):
    """A ledger's mind with a part that is wrong."""

    def made():
        mind = LedgerMind()
        mind.foreign = foreign(mind.books.dust_lots)
        if books is not None:
            mind.books = books(())
        return mind

    return made


CONTROLS = {
    RIGHT: (LedgerMind, Reconciler),
    "failed_is_flat": (LedgerMind, FailedIsFlat),
    "no_grace": (LedgerMind, NoGrace),
    "unasked": (LedgerMind, Unasked),
    "unfenced": (LedgerMind, Unfenced),
    "sent_are_strays": (LedgerMind, SentAreStrays),
    "new_ids": (mind_of(NewIds), Reconciler),
    "on_top": (mind_of(OnTop), Reconciler),
    "booked_again": (mind_of(books=Forgetful), Reconciler),
}
