"""The one transfer that obid makes: USDC from spot to perpetuals of the same account, asked for by a person."""

from contextlib import AbstractContextManager
from decimal import Decimal, InvalidOperation
from pathlib import Path

from msgspec import Struct

from config.errors import ConfigError
from config.load import daemon_tables
from config.settings import load_settings
from daemon.errors import BadInput, Failed
from daemon.guarded import guard, secrets_of
from daemon.hyperliquid import FOLDER
from daemon.options import parse_data_dir, parse_file
from daemon.venue_places import chain_of, hyperliquid_url, lock_of
from supervisor.clock import Clock
from supervisor.wall import run_wall
from venues.hyperliquid import actions
from venues.hyperliquid.answers import Refused, read_response
from venues.hyperliquid.nonce_file import NonceFile
from venues.hyperliquid.rest import Rest
from venues.hyperliquid.sign import AccountAddress, Signer, account_address
from venues.market import MINOR_PER_USD
from venues.venue import VenueMisspoke, VenueUnreachable

USD_MAX = Decimal(10) ** 9
KEY = "hyperliquid_master_key"


class Planned(Struct, frozen=True):
    """What will be done."""

    signer: Signer
    account: AccountAddress
    url: str
    folder: Path
    amount_minor: int
    text: str
    lock: AbstractContextManager[object]  # nobody else signs with the key meanwhile


def plan(usd: str, config: Path | None, data_dir: Path | None) -> Planned:
    """Read and check everything, send nothing. Raises BadInput, ConfigError."""
    try:
        amount = Decimal(usd)
    except InvalidOperation:
        amount = Decimal(0)
    minor = amount * MINOR_PER_USD if amount.is_finite() else Decimal(0)
    if not 0 < minor <= USD_MAX * MINOR_PER_USD or minor != int(minor):
        raise BadInput("--usd", usd, f"a positive number of USDC with at most 6 decimals, up to {USD_MAX:f}")
    file = parse_file(config)
    settings = load_settings(tables=daemon_tables([file] if file else []))
    guard(secrets_of(settings))
    if settings.hyperliquid_master_key is None or settings.hyperliquid_master_address is None:
        right = "is missing: a transfer is signed by the account's own key, no agent wallet may"
        missing = "hyperliquid_master_address" if settings.hyperliquid_master_key else KEY
        raise ConfigError(missing, f"{right}; set OBID_{missing.upper()} for this command alone")
    account = account_address(settings.hyperliquid_master_address)
    try:
        signer = Signer(settings.hyperliquid_master_key, chain_of(settings))
    except ValueError as error:
        raise ConfigError(KEY, str(error)) from None
    if str(signer.address) != str(account):
        raise ConfigError(KEY, f"is the key of {signer.address}, not of the account {account}")
    text = f"{amount:f} USDC of {account} from spot to perpetuals, {signer.chain}"
    folder, lock = parse_data_dir(data_dir, file) / FOLDER, lock_of(KEY, signer, settings)
    return Planned(signer, account, hyperliquid_url(settings), folder, int(minor), text, lock)


def transfer(planned: Planned) -> None:
    """Do it. Raises Failed: refused, or nobody knows; ConfigError where a daemon signs with the same key."""

    async def send(clock: Clock) -> None:
        rest = Rest(planned.url)
        try:
            nonce = await NonceFile(planned.folder, planned.signer.address, clock).take()
            action = actions.usd_class_transfer(planned.amount_minor, nonce, to_perp=True)
            answer = await rest.exchange(planned.signer.user(action).body())
            (verdict,) = read_response(answer.status, answer.body, 0)
        except (VenueUnreachable, VenueMisspoke) as error:
            doubt = f"nobody knows whether it was done: {error}"
            raise Failed(f"{doubt}. Look at the account before it is tried again") from error
        finally:
            await rest.close()
        if isinstance(verdict, Refused):
            raise Failed(f"the venue refused it: {verdict.reason}")

    with planned.lock:
        run_wall(send)
