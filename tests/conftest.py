"""What holds for every test."""

import pytest
from hypothesis import HealthCheck, settings

from supervisor.secrets import KNOWN

# how fast examples are made is the machine's affair, and what else it has to do
settings.register_profile("obid", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("obid")


@pytest.fixture(autouse=True)
def _nothing_is_a_secret_for_ever():
    """A run in this process has registered its keys; the next test may print them."""
    yield
    KNOWN.forms = ()
