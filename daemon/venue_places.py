"""Where real venues are, by the settings: what the daemon and its dead man both need, and no more than that."""

from contextlib import AbstractContextManager, nullcontext

from config.errors import ConfigError
from config.settings import Settings, is_loopback
from daemon.signer_lock import SignerLock
from venues.hyperliquid.sign import Chain, Signer
from venues.rest import rest_url

HYPERLIQUID_URLS = {
    Chain.MAINNET: "https://api.hyperliquid.xyz",
    Chain.TESTNET: "https://api.hyperliquid-testnet.xyz",
}
"""The venue's public addresses (docs, "API")."""

ALPACA_URLS = {"live": "https://api.alpaca.markets", "paper": "https://paper-api.alpaca.markets"}
"""The same of Alpaca's trading (docs, "Authentication")."""

CHAINS = {"mainnet": Chain.MAINNET, "testnet": Chain.TESTNET}


def chain_of(settings: Settings) -> Chain:
    """The chain; without a URL it is the venue's own mainnet unless testnet is said."""
    return CHAINS[settings.hyperliquid_chain or "mainnet"]


def hyperliquid_url(settings: Settings) -> str:
    """Where Hyperliquid is. Raises ConfigError."""
    try:
        return rest_url(settings.hyperliquid_url or HYPERLIQUID_URLS[chain_of(settings)])
    except ValueError as error:
        raise ConfigError("hyperliquid_url", str(error)) from error


def alpaca_url(settings: Settings, *, live: bool) -> str:
    """Where orders go at Alpaca. Raises ConfigError."""
    try:
        return rest_url(settings.alpaca_url or ALPACA_URLS["live" if live else "paper"])
    except ValueError as error:
        raise ConfigError("alpaca_url", str(error)) from error


def lock_of(field: str, signer: Signer, settings: Settings) -> AbstractContextManager[object]:
    """What keeps others from signing with a key meanwhile; an emulator on this machine is nobody's but the test's."""
    if is_loopback(settings.hyperliquid_url):
        return nullcontext()
    return SignerLock(field, str(signer.address), str(signer.chain))
