"""The randomness seam: every draw and every id is a function of (seed, purpose, counter), so a run can be repeated."""

from hashlib import blake2b

WORD_BITS = 64
FRACTION_BITS = 53  # what a float holds exactly; all 64 would round up to 1 now and then
ID_BYTES = 16  # Hyperliquid's client order ids are 128 bits; nobody's are longer


def word(seed: int | str, purpose: str, counter: int) -> int:
    """A 64-bit number, uniform and the same on every machine."""
    text = f"{seed}/{purpose}/{counter}".encode()
    return int.from_bytes(blake2b(text, digest_size=WORD_BITS // 8).digest())


def uniform(seed: int | str, purpose: str, counter: int) -> float:
    """A number in [0, 1)."""
    return (word(seed, purpose, counter) >> (WORD_BITS - FRACTION_BITS)) / float(2**FRACTION_BITS)


def identity(seed: int | str, purpose: str, counter: int) -> str:
    """A client order id: 0x and 32 hex digits, lower case (Hyperliquid's form; Alpaca takes any text)."""
    text = f"{seed}/{purpose}/{counter}".encode()
    return "0x" + blake2b(text, digest_size=ID_BYTES).hexdigest()
