"""Real clients, stopped when the test is over."""

import clients as real
import pytest


@pytest.fixture
def make_clients(request):
    made = []

    def make(node, versions, **options):
        made.extend(found := real.start(node, versions, **options))
        return found

    yield make
    for client in made:
        client.close()
