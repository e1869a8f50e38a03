"""An emulated venue for the dead man's drill: two keys for one account, and a volume that opens the venue's own switch.

python -m tests.soak.deadman_venue hyperliquid --seed 3 --volume 2000000
"""

import argparse
from decimal import Decimal
from typing import Any

from msgspec.structs import replace

from daemon import emulate, emulate_alpaca
from supervisor.draws import identity
from venues.emulator.hyperliquid.config import AccountConfig

SYMBOLS = {
    "hyperliquid": ("BTC", "ETH", "SOL", "DOGE", "AVAX", "LINK", "HYPE", "xyz:TSLA"),
    "alpaca": ("BTC/USD", "ETH/USD", "SOL/USD", "AVAX/USD", "LTC/USD", "LINK/USD", "AAVE/USD", "UNI/USD"),
}
USD = Decimal(10_000_000)


def keys_of(seed: int) -> tuple[str, str]:
    """The daemon's key, and the dead man's."""
    daemon, deadman = (identity(seed, f"deadman drill/{who}", 0) for who in ("daemon", "deadman"))
    return tuple(f"0x{one.removeprefix('0x'):0>64}" for one in (daemon, deadman))  # type: ignore[return-value]


def hyperliquid(seed: int, volume: int, symbols: tuple[str, ...]) -> emulate.Asked:
    """An account whose own key nobody has here, and two agents of it."""
    asked = emulate.asked(
        where=emulate.Where("127.0.0.1", 0), seed=seed, speed=1.0, faults="none", accounts=[], symbols=symbols
    )
    (account,) = asked.accounts
    agents = {name: emulate.address_of(key) for name, key in zip(("daemon", "deadman"), keys_of(seed), strict=True)}
    usd = dict.fromkeys(account.usd, USD)
    whole = AccountConfig(address=account.address, usd=usd, agents=agents, volume_usd=Decimal(volume))
    return replace(asked, accounts=(whole,))


def alpaca(seed: int, symbols: tuple[str, ...]) -> emulate_alpaca.AskedAlpaca:
    """One account, one key."""
    return emulate_alpaca.asked_alpaca(
        where=emulate.Where("127.0.0.1", 0),
        seed=seed,
        speed=1.0,
        accounts=[f"PKEMULATED1:{USD}"],
        symbols=symbols,
    )


def environment_of(venue: str, told: dict[str, Any], seed: int) -> tuple[dict[str, str], dict[str, str]]:
    """The keys of the daemon, and those of the dead man."""
    if venue == "alpaca":
        keys = {
            "OBID_ALPACA_PAPER_KEY_ID": told["throw_away_key_id"],
            "OBID_ALPACA_PAPER_SECRET": told["throw_away_secret"],
        }
        return keys, keys
    daemon, deadman = keys_of(seed)
    return {"OBID_HYPERLIQUID_AGENT_KEY": daemon}, {"OBID_HYPERLIQUID_DEADMAN_KEY": deadman}


def main() -> int:
    """Serve until a signal comes; the first line says where."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("venue", choices=tuple(SYMBOLS))
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--volume", type=int, default=0, help="traded before, in dollars")
    parser.add_argument("--symbols", default="")
    asked = parser.parse_args()
    symbols = tuple(asked.symbols.split(",")) if asked.symbols else SYMBOLS[asked.venue]
    if asked.venue == "alpaca":
        return emulate_alpaca.serve_alpaca(alpaca(asked.seed, symbols), as_json=True)
    return emulate.serve_hyperliquid(hyperliquid(asked.seed, asked.volume, symbols), as_json=True)


if __name__ == "__main__":
    raise SystemExit(main())
