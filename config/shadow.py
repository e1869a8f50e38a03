"""Shadow per symbol: some symbols burn in with simulated fills while the others of the engine trade for real.

obi-execution-engine calls them SHADOW_COINS. What is simulated and what is money must not meet: not in a balance that
the circuit breaker reads, nor in a net position that a cap is held against. So the symbols in shadow are an engine of
their own, with its own books, gate and account, in the same process: `perps` and `perps-shadow`. A symbol that is held
cannot change sides, because the engine that it leaves would still hold it (daemon.run refuses to start).
"""

from typing import cast

from config.errors import ConfigError
from config.profile import SHADOW, EngineName, Profile


def split_shadow(profile: Profile) -> dict[EngineName, Profile]:
    """A profile, or two: what trades for real and what does not. Raises ConfigError where nothing would be real."""
    shadowed = tuple(symbol for symbol in profile.symbols if symbol in profile.shadow_symbols)
    if not shadowed:
        return {profile.engine: profile}
    real = tuple(symbol for symbol in profile.symbols if symbol not in shadowed)
    if not real:
        right = "leaves no symbol to trade for real; shadow mode is for that"
        raise ConfigError(f"{profile.engine}.shadow_symbols", right, ", ".join(shadowed))
    name = cast(EngineName, profile.engine + SHADOW)
    return {
        profile.engine: profile.model_copy(update={"symbols": real, "shadow_symbols": ()}),
        name: profile.model_copy(update={"engine": name, "symbols": shadowed, "shadow_symbols": ()}),
    }
