"""Which venues a dead man watches, and with whose keys: not the daemon's, wherever a second one can be had."""

from collections.abc import Sequence

from msgspec import Struct

from config.errors import ConfigError
from config.settings import PREFIX, Settings
from daemon.venue_places import alpaca_url, chain_of, hyperliquid_url
from supervisor.clock import Clock
from venues.alpaca.login import Login
from venues.alpaca.sweep import AlpacaSweep
from venues.hyperliquid.sign import AccountAddress, Signer, account_address, warm_up
from venues.hyperliquid.sweep import HyperliquidSweep
from venues.secret import Secret
from venues.sweep import Sweeper

VENUES = {"perps": "hyperliquid", "crypto": "alpaca", "equities": "alpaca"}
"""Where an engine's orders rest. Engines of one venue have one account."""

HYPERLIQUID_KEY = "hyperliquid_deadman_key"


class Credential(Struct, frozen=True, kw_only=True):
    """A key for one venue; `field` is the setting it came from."""

    venue: str
    field: str
    url: str
    signer: Signer | None = None
    account: AccountAddress | None = None
    login: Login | None = None


def credentials(settings: Settings, mode: str, engines: Sequence[str]) -> list[Credential]:
    """A key for each venue of the engines. Raises ConfigError for one that is missing, or the daemon's own."""
    venues = dict.fromkeys(VENUES[engine] for engine in engines)
    return [_hyperliquid(settings) if venue == "hyperliquid" else _alpaca(settings, mode) for venue in venues]


def _hyperliquid(settings: Settings) -> Credential:
    account = settings.hyperliquid_master_address
    if account is None:
        right = "is missing: the account whose orders are to be watched"
        raise ConfigError("hyperliquid_master_address", f"{right}, as {PREFIX}HYPERLIQUID_MASTER_ADDRESS")
    if settings.hyperliquid_deadman_key is None:
        right = "is missing: the key of an agent wallet of its own, which the account's owner approves at the venue"
        raise ConfigError(HYPERLIQUID_KEY, f"{right}; set {PREFIX}HYPERLIQUID_DEADMAN_KEY or put it in a file")
    warm_up()
    signer = _signer(HYPERLIQUID_KEY, settings.hyperliquid_deadman_key, settings)
    if settings.hyperliquid_agent_key is not None:
        daemons = _signer("hyperliquid_agent_key", settings.hyperliquid_agent_key, settings)
        if daemons.address == signer.address:
            right = f"is the daemon's own key ({signer.address}), and two processes would use the same nonces"
            raise ConfigError(HYPERLIQUID_KEY, f"{right}: approve another agent wallet for the dead man")
    return Credential(
        venue="hyperliquid",
        field=HYPERLIQUID_KEY,
        url=hyperliquid_url(settings),
        signer=signer,
        account=account_address(account),
    )


def _signer(field: str, secret: Secret, settings: Settings) -> Signer:
    try:
        return Signer(secret, chain_of(settings))
    except ValueError as error:
        raise ConfigError(field, str(error)) from None


def _alpaca(settings: Settings, mode: str) -> Credential:
    """Its own key where one is given; else the daemon's: at Alpaca two processes may use the same one."""
    key_id, secret = settings.alpaca_deadman_key_id, settings.alpaca_deadman_secret
    if (key_id is None) != (secret is None):
        given, missing = ("key_id", "secret") if secret is None else ("secret", "key_id")
        raise ConfigError(f"alpaca_deadman_{missing}", f"is missing beside alpaca_deadman_{given}: both, or neither")
    field = "alpaca_deadman_key_id"
    if key_id is None or secret is None:
        field = f"alpaca_{mode}_key_id"
        key_id, secret = getattr(settings, field), getattr(settings, f"alpaca_{mode}_secret")
    if key_id is None or secret is None:
        right = f"is missing, and so is alpaca_{mode}_key_id: a key that may cancel, as {PREFIX}ALPACA_DEADMAN_KEY_ID"
        raise ConfigError("alpaca_deadman_key_id", right)
    url = alpaca_url(settings, live=mode == "live")
    return Credential(venue="alpaca", field=field, url=url, login=Login(key_id, secret))


def sweeper_of(one: Credential, clock: Clock) -> Sweeper:
    """What cancels there."""
    if one.signer is not None and one.account is not None:
        return HyperliquidSweep(one.url, one.signer, one.account, clock)
    assert one.login is not None, "one or the other was made above"
    return AlpacaSweep(one.url, one.login, clock)
