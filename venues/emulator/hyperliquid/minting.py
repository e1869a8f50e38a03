"""What the venue makes up - order ids, trade ids, hashes, addresses - as a function of the seed and a count."""

from hashlib import blake2b

OID_BASE = 57_000_000_000
"""The testnet's order ids in July 2026; more than 32 bits, which adapters must bear."""

OID_STEP_MAX = 9  # other people's orders in between
TID_BITS = 50
_HASH_BYTES, _ADDRESS_BYTES = 32, 20


class Mint:
    """Makes ids; the same calls in the same order give the same ids."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._oid = OID_BASE + seed % OID_BASE
        self._tids = 0

    def hash(self, *parts: object) -> str:
        """Hash of a transaction that these parts name."""
        return "0x" + self._digest("hash", *parts, size=_HASH_BYTES).hex()

    def address(self, *parts: object) -> str:
        """Address of somebody who does not exist."""
        return "0x" + self._digest("address", *parts, size=_ADDRESS_BYTES).hex()

    def number(self, *parts: object) -> int:
        """Fifty bits that these parts name, never zero."""
        return 1 + (int.from_bytes(self._digest("number", *parts, size=8)) >> (64 - TID_BITS))

    def oid(self) -> int:
        """The next order id."""
        self._oid += 1 + self.number("oid", self._oid) % OID_STEP_MAX
        return self._oid

    def tid(self) -> int:
        """The next trade id."""
        self._tids += 1
        return self.number("tid", self._tids)

    def _digest(self, *parts: object, size: int) -> bytes:
        return blake2b(":".join(map(str, (self._seed, *parts))).encode(), digest_size=size).digest()
