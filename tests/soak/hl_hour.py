"""The unchanged daemon against the emulated Hyperliquid with default faults: do venue, ledger and memory end as one.

    python -m tests.soak.hl_hour [--minutes 60] [--seed 7] [--speed 1] [--config more.toml] [--dir var/hl_hour]

Two processes: `obid emulate hyperliquid --faults default` and `obid run --mode live`, in real time unless `--speed`
says otherwise, which moves both. Exit code 0: positions are equal, no order rests unaccounted, every limit was kept.
"""

import sys
from decimal import Decimal
from typing import Any

from tests.soak import hour
from tests.soak.hour import Ended, Hour

WEIGHT_A_MINUTE, MESSAGES_A_MINUTE = 1_200, 2_000
"""The venue's limits for one IP address."""


LIVELY = """
[perps.signal]
bar_s = 10
window_bars = 30
trend_bars = 30
trend_gate = false
[perps.tier_default]
z_entry = 1.0
z_exit = 0.3
[perps.tier_rules.alt]
z_entry = 1.0
z_exit = 0.3
[perps.tier_rules.stock]
z_entry = 1.0
z_exit = 0.3
[perps.risk]
orders_per_minute = 60
orders_burst = 60
"""
"""A strategy that trades some times a minute: the packaged one may wait for an hour, and an hour without a fill proves
nothing."""


def differs(ended: Ended) -> list[str]:
    """What of positions and limits is wrong."""
    held = {symbol: size for (_, symbol), size in hour.held_by(ended.mind).items()}
    wrongs = hour.unequal(held, {coin: Decimal(size) for coin, size in ended.truth["positions"].items()})
    (ip,) = ended.statistics["venue"]["by_ip"].values()
    bounds = {"weight_per_minute_highest": WEIGHT_A_MINUTE, "messages_per_minute_highest": MESSAGES_A_MINUTE}
    wrongs += [f"{name} is {ip[name]} of {most}" for name, most in bounds.items() if ip[name] > most]
    wrongs += [f"the venue refused {ip['refused']}"] if any(ip["refused"].values()) else []
    refused = ended.statistics["venue"]["refused_429"]
    return wrongs + ([f"{refused} requests were over the limit"] if refused else [])


def figures(ended: Ended) -> dict[str, Any]:
    """The use of limits."""
    (limits,) = ended.statistics["venue"]["by_ip"].values()
    return {"limits": limits}


HOUR = Hour(
    venue="hyperliquid",
    mode="live",
    engines=("perps",),
    environment=lambda told: {"OBID_HYPERLIQUID_AGENT_KEY": told["throw_away_key"]},
    config=LIVELY,
    emulated=(),
    differs=differs,
    figures=figures,
)


def main() -> int:
    """Run both and judge."""
    return hour.run(HOUR, hour.parser_of(__doc__.splitlines()[0], "hl_hour").parse_args())


if __name__ == "__main__":
    sys.exit(main())
