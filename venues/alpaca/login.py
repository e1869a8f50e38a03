"""A login at Alpaca: a key's id and its secret, which nothing prints."""

from venues.secret import Secret

KINDS = {"PK": "paper", "AK": "live"}
"""How the ids of keys begin, as the venue's dashboard gives them out."""


class Login:
    """A key of paper or live; the one for data may be another than the one for orders."""

    __slots__ = ("_key_id", "_secret")

    def __init__(self, key_id: Secret, secret: Secret):
        self._key_id = key_id
        self._secret = secret

    def __repr__(self) -> str:
        return "Login(***)"

    @property
    def headers(self) -> dict[str, str]:
        """What a REST request carries (docs.alpaca.markets, "Authentication")."""
        return {
            "APCA-API-KEY-ID": self._key_id.get_secret_value().strip(),
            "APCA-API-SECRET-KEY": self._secret.get_secret_value().strip(),
        }

    @property
    def key(self) -> str:
        """The key's id, for the message that opens a stream."""
        return self._key_id.get_secret_value().strip()

    @property
    def kind(self) -> str:
        """paper or live, by how the id begins; empty: it does not say."""
        return KINDS.get(self.key[:2], "")

    @property
    def secret(self) -> str:
        """The secret, for the same."""
        return self._secret.get_secret_value().strip()
