"""What holds for every test of the library: it has no network."""

import pytest
from no_network import withheld_network


@pytest.fixture(autouse=True)
def network_attempts():
    """Refuse the network, and fail the test that wanted it, also where the code swallowed the refusal."""
    with withheld_network() as attempts:
        yield attempts
    assert attempts == [], "the library wanted the network"
