"""What the tests of the actor share."""

import pytest

from training.actor.voices import VoicePool


@pytest.fixture(scope="session")
def pool() -> VoicePool:
    """The voices of this machine."""
    return VoicePool.discover()
