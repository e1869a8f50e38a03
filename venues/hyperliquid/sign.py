"""Signatures: who did an action, proved by a key, and found again from the signature alone.

An action of the trading layer (L1) is hashed as msgpack with its nonce, the account it is for and the time it expires
at; a phantom agent that names this hash and the chain is signed as EIP-712 data. A user-signed action (a transfer) is
EIP-712 data itself. The venue recovers the address from the signature and takes that for who asked: a wrong byte
anywhere is no "bad signature" there, it is another wallet that does not exist.

Signed here on coincurve and Keccak directly, with what never changes hashed once: nine tenths of the time that the
venue's SDK takes goes into a general EIP-712 encoder and into checked types of keys and hashes. Tests hold every byte
against the SDK's. Sources: Hyperliquid docs, "Signing"; hyperliquid-python-sdk, utils/signing.py; EIP-712.
"""

from enum import StrEnum
from typing import NewType, NoReturn

from coincurve import PrivateKey, PublicKey
from eth_hash.auto import keccak
from msgspec import Struct
from msgspec.json import Encoder as JsonEncoder
from msgspec.msgpack import Encoder as MsgpackEncoder

from venues.hyperliquid.actions import Action
from venues.secret import Secret

SignerAddress = NewType("SignerAddress", str)
"""Whose key signs: an agent wallet, as a rule. /info answers about it as about an empty account."""
AccountAddress = NewType("AccountAddress", str)
"""Whose money it is: a master account, a sub-account or a vault. What /info is asked about. Lower case."""

ADDRESS_DIGITS, KEY_DIGITS, HASH_BYTES = 40, 64, 32
ADDRESS_BYTES = ADDRESS_DIGITS // 2
V_OFFSET = 27
"""Ethereum's v is the recovery id, 0 or 1, and this."""
VS = (V_OFFSET, V_OFFSET + 1)
SIGNATURE_CHAIN_ID = "0x66eee"
"""Of the chain a wallet signs a transfer for: any is taken, this is the SDK's. Mainnet and testnet are told apart by
`hyperliquidChain`."""
L1_CHAIN_ID = 1337
UINT64_BYTES = 8


class Chain(StrEnum):
    """Which Hyperliquid a signature is good for. Said, never guessed from a URL: the SDK signs for testnet by proxy."""

    MAINNET = "Mainnet"
    TESTNET = "Testnet"


UNHASHABLE = (ValueError, OverflowError, TypeError, KeyError, RecursionError)
"""What an action of a stranger's making raises on its way into a hash."""


class NotSigned(Exception):
    """A signature that nobody can have made, or an action that can't be signed: there is no address to tell."""


class Signature(Struct, frozen=True):
    """r and s as hexadecimal numbers without leading zeros, as the SDK writes them."""

    r: str
    s: str
    v: int


class SignedAction(Struct, frozen=True, rename="camel"):
    """What is posted to /exchange, or as the payload of a WebSocket post; keys and order are the SDK's."""

    action: Action
    nonce: int
    signature: Signature
    vault_address: AccountAddress | None = None  # posted as null, but others leave it out
    expires_after: int | None = None  # ms

    def body(self) -> bytes:
        """The JSON to post."""
        return _json.encode(self)


_json, _msgpack = JsonEncoder(), MsgpackEncoder()


def account_address(text: str) -> AccountAddress:
    """An address as the venue hashes it, in lower case; ValueError if it is none."""
    digits = text[2:].lower()
    if text[:2] not in ("0x", "0X") or len(digits) != ADDRESS_DIGITS or not _is_hexadecimal(digits):
        raise ValueError(f"{text!r} is no address; one is 0x and {ADDRESS_DIGITS} hexadecimal digits")
    return AccountAddress("0x" + digits)


# --- what is hashed ---------------------------------------------------------------------------------------------------


def _word(number: int) -> bytes:
    return number.to_bytes(HASH_BYTES, "big")


def _domain(name: str, chain_id: int) -> bytes:
    kind = b"EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
    return keccak(keccak(kind) + keccak(name.encode()) + keccak(b"1") + _word(chain_id) + _word(0))


EIP712 = b"\x19\x01"
_L1 = EIP712 + _domain("Exchange", L1_CHAIN_ID)
_AGENT = keccak(b"Agent(string source,bytes32 connectionId)")
_AGENTS = {Chain.MAINNET: _AGENT + keccak(b"a"), Chain.TESTNET: _AGENT + keccak(b"b")}
_NO_VAULT, _VAULT, _EXPIRES = b"\x00", b"\x01", b"\x00"

USER_SIGNED = {
    "usdClassTransfer": "UsdClassTransfer(string hyperliquidChain,string amount,bool toPerp,uint64 nonce)",
    "usdSend": "UsdSend(string hyperliquidChain,string destination,string amount,uint64 time)",
    "sendAsset": "SendAsset(string hyperliquidChain,string destination,string sourceDex,string destinationDex,"
    "string token,string amount,string fromSubAccount,uint64 nonce)",
}
"""Each action that its owner signs field by field, and its type."""
_USER_PREFIX = "HyperliquidTransaction:"


def action_hash(
    action: Action, nonce: int, vault: AccountAddress | None = None, expires_after_ms: int | None = None
) -> bytes:
    """What of an L1 action is signed; the venue calls it connectionId."""
    said = _msgpack.encode(action) + nonce.to_bytes(UINT64_BYTES, "big")
    said += _NO_VAULT if vault is None else _VAULT + bytes.fromhex(vault[2:])
    if expires_after_ms is not None:
        said += _EXPIRES + expires_after_ms.to_bytes(UINT64_BYTES, "big")
    return keccak(said)


def _l1_digest(connection_id: bytes, chain: Chain) -> bytes:
    return keccak(_L1 + keccak(_AGENTS[chain] + connection_id))


def _user_digest(action: Action, chain: Chain) -> bytes:
    """What of a user-signed action is signed; keys that its type does not have are not."""
    kind = _USER_PREFIX + USER_SIGNED[action["type"]]
    told = {**action, "hyperliquidChain": chain.value}
    fields = (field.split(" ") for field in kind[kind.index("(") + 1 : -1].split(","))
    words = b"".join(_field(told[name], of) for of, name in fields)
    domain = _domain("HyperliquidSignTransaction", int(action["signatureChainId"], 16))
    return keccak(EIP712 + domain + keccak(keccak(kind.encode()) + words))


def _field(value: object, kind: str) -> bytes:
    match kind, value:
        case "string", str(text):
            return keccak(text.encode())
        case "bool", bool(flag):
            return _word(flag)
        case "uint64", int(number) if not isinstance(value, bool):
            return number.to_bytes(UINT64_BYTES, "big").rjust(HASH_BYTES, b"\0")
    raise TypeError(f"{kind} expected, {type(value).__name__} found")


# --- who signs --------------------------------------------------------------------------------------------------------


class Signer:
    """A key that signs for one chain. It shows its address, never itself."""

    __slots__ = ("_key", "address", "chain")

    def __init__(self, secret: Secret, chain: Chain) -> None:
        """Take a private key of 64 hexadecimal digits, with or without 0x; ValueError if it is none."""
        key = _private_key(secret)
        if key is None:
            digits = f"{KEY_DIGITS} hexadecimal digits, with or without 0x"
            raise ValueError(f"the private key is none; right would be {digits}, of a number on secp256k1")
        self._key = key
        self.chain = chain
        self.address = _address(key.public_key)

    def l1(
        self,
        action: Action,
        nonce: int,
        vault: AccountAddress | None = None,
        expires_after_ms: int | None = None,
    ) -> SignedAction:
        """Sign an action of the trading layer; for a vault or sub-account if one is named."""
        digest = _l1_digest(action_hash(action, nonce, vault, expires_after_ms), self.chain)
        return SignedAction(action, nonce, self._sign(digest), vault, expires_after_ms)

    def user(self, action: Action) -> SignedAction:
        """Sign a transfer as its owner: no agent wallet may, no vault is named and no expiry is allowed."""
        if (kind := action["type"]) not in USER_SIGNED:
            raise ValueError(f"{kind} is not signed by its user; these are: {', '.join(USER_SIGNED)}")
        told = {**action, "signatureChainId": SIGNATURE_CHAIN_ID, "hyperliquidChain": self.chain.value}
        nonce = action["time" if "time" in action else "nonce"]
        return SignedAction(told, nonce, self._sign(_user_digest(told, self.chain)))

    def _sign(self, digest: bytes) -> Signature:
        signed = self._key.sign_recoverable(digest, hasher=None)
        r, s = int.from_bytes(signed[:HASH_BYTES], "big"), int.from_bytes(signed[HASH_BYTES:-1], "big")
        return Signature(hex(r), hex(s), V_OFFSET + signed[-1])

    def __repr__(self) -> str:
        """The address and the chain; it may be asked while a key is being refused, when there are none."""
        return f"Signer({getattr(self, 'address', 'no key')}, {getattr(self, 'chain', '')})"

    def __reduce__(self) -> NoReturn:
        """A key is not copied, pickled or sent anywhere."""
        raise TypeError("a Signer holds a key, which is not copied")


def _private_key(secret: Secret) -> PrivateKey | None:
    """The key, or None: what is raised for a bad one is raised where no local variable holds its digits."""
    digits = secret.get_secret_value().strip().removeprefix("0x")
    if len(digits) != KEY_DIGITS or not _is_hexadecimal(digits):
        return None
    try:
        return PrivateKey(bytes.fromhex(digits))
    except ValueError:  # zero, or beyond the order of the curve
        return None


def _is_hexadecimal(digits: str) -> bool:
    return set(digits) <= set("0123456789abcdefABCDEF")


def _address(key: PublicKey) -> SignerAddress:
    """Ethereum's: the end of the hash of the point, without the byte that says it is not compressed."""
    return SignerAddress("0x" + keccak(key.format(compressed=False)[1:])[-ADDRESS_BYTES:].hex())


# --- who signed -------------------------------------------------------------------------------------------------------


def recover_l1(signed: SignedAction, chain: Chain) -> SignerAddress:
    """Whose key signed an L1 action for this chain; NotSigned if it can't be anybody's."""
    try:
        hashed = action_hash(signed.action, signed.nonce, signed.vault_address, signed.expires_after)
    except UNHASHABLE as error:
        raise NotSigned(f"the action can't be hashed: {error!r}") from error
    return _recover(signed.signature, _l1_digest(hashed, chain))


def recover_user(signed: SignedAction, chain: Chain) -> SignerAddress:
    """Whose key signed a transfer for this chain; NotSigned if it can't be anybody's."""
    try:
        digest = _user_digest(signed.action, chain)
    except UNHASHABLE as error:
        raise NotSigned(f"the action can't be hashed: {error!r}") from error
    return _recover(signed.signature, digest)


def _recover(signature: Signature, digest: bytes) -> SignerAddress:
    if signature.v not in VS:
        raise NotSigned(f"v of the signature is {signature.v}; it can be {VS[0]} or {VS[1]}")
    try:
        parts = _word(int(signature.r, 16)) + _word(int(signature.s, 16)) + bytes([signature.v - V_OFFSET])
        return _address(PublicKey.from_signature_and_message(parts, digest, hasher=None))
    except (ValueError, OverflowError) as error:
        raise NotSigned(f"the signature is nobody's: {error}") from error


def warm_up() -> None:
    """Sign and recover once, before a loop runs: the libraries load their parts when first used."""
    signer = Signer(_Known(), Chain.TESTNET)
    recover_l1(signer.l1({"type": "noop"}, 0), Chain.TESTNET)


class _Known:
    """The number one, which everybody has for a key."""

    def get_secret_value(self) -> str:
        """The secret itself."""
        return f"{1:0{KEY_DIGITS}x}"
