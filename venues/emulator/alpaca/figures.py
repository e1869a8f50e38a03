"""Numbers, times and ids as the venue prints them."""

from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache
from hashlib import blake2b
from uuid import UUID
from zoneinfo import ZoneInfo

from supervisor.clock import NS_PER_S
from venues.aleatoric.dialects.alpaca import rfc3339
from venues.market import MINOR_PER_USD

NEW_YORK = ZoneInfo("America/New_York")
UUID_BYTES, NUMBER_BITS = 16, 63
RATIO = Decimal("0.0000000001")


def plain(number: Decimal) -> str:
    """A number without exponent and without zeros that say nothing."""
    text = f"{number:f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text in ("-0", "") else text


def money(minor: int) -> str:
    """Minor units as dollars."""
    return plain(Decimal(minor) / MINOR_PER_USD)


def ratio(over: int, under: int) -> str:
    """A share of something, ten decimals; nothing of nothing is nothing."""
    return plain((Decimal(over) / Decimal(under)).quantize(RATIO)) if under else "0"


def stamp(at_ns: int, *, local: bool = False) -> str:
    """A time in UTC with as many decimals as it needs, or in New York with its offset: the venue mixes the two."""
    if not local:
        return rfc3339(at_ns)
    second, rest = divmod(at_ns, NS_PER_S)
    text, offset = _local(second)
    decimals = f".{rest:09d}".rstrip("0").rstrip(".")
    return f"{text}{decimals}{offset}"


@lru_cache(maxsize=1024)
def _local(second: int) -> tuple[str, str]:
    text = datetime.fromtimestamp(second, NEW_YORK).isoformat()
    return text[:-6], text[-6:]


def compact(at_ns: int) -> str:
    """A time as ids of activities begin with: 20240312103850796."""
    return datetime.fromtimestamp(at_ns // NS_PER_S, UTC).strftime("%Y%m%d%H%M%S") + f"{at_ns // 1_000_000 % 1000:03d}"


class Mint:
    """Ids as a function of the seed and of what they name."""

    def __init__(self, seed: int) -> None:
        self._seed, self._count = seed, 0

    def uuid(self, *parts: object) -> str:
        """The id of something that has a name."""
        return str(UUID(bytes=self._digest(*parts)[:UUID_BYTES], version=4))

    def next_uuid(self) -> str:
        """One more id of something that has none."""
        self._count += 1
        return self.uuid("next", self._count)

    def number(self, *parts: object) -> int:
        """Sixty-three bits that these parts name."""
        return int.from_bytes(self._digest(*parts)[:8]) >> (64 - NUMBER_BITS)

    def chance(self, share: float, *parts: object) -> bool:
        """Whether a draw by these parts falls into a share."""
        return bool(self.number(*parts) < share * 2**NUMBER_BITS)

    def _digest(self, *parts: object) -> bytes:
        return blake2b("/".join(map(str, (self._seed, *parts))).encode()).digest()
