"""A secret as venues are given it."""

from typing import Protocol


class Secret(Protocol):
    """What holds a secret and shows it only when asked, as pydantic's SecretStr does."""

    def get_secret_value(self) -> str:
        """The secret itself."""
        ...
