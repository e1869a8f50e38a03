"""Which nonces are still good: per signer, the venue keeps the hundred highest (docs, Nonces and API wallets)."""

from bisect import insort

from venues.emulator.hyperliquid import errors

KEPT = 100
DAY_MS = 86_400_000
PAST_MS, AHEAD_MS = 2 * DAY_MS, DAY_MS


class Nonces:
    """The nonces of all signers."""

    def __init__(self) -> None:
        self._used: dict[str, list[int]] = {}

    def flaw(self, signer: str, nonce: int, now_ms: int) -> str:
        """Why a nonce is refused; empty when it is good."""
        used = self._used.get(signer, [])
        if nonce in used:
            return errors.duplicate_nonce(nonce)
        least = max(now_ms - PAST_MS, used[0] if len(used) == KEPT else 0)
        if nonce <= least:
            return errors.low_nonce(nonce, least)
        if nonce >= now_ms + AHEAD_MS:
            return errors.high_nonce(nonce, now_ms + AHEAD_MS)
        return ""

    def burn(self, signer: str, nonce: int) -> None:
        """Never take this one again."""
        used = self._used.setdefault(signer, [])
        insort(used, nonce)
        if len(used) > KEPT:
            del used[0]
