import json

from nexus.cluster import Outcome


def test_an_outcome_survives_json() -> None:
    outcome = Outcome(number=7, ok=False, state="failed", reason="It is broken.")
    assert Outcome.of(json.loads(json.dumps(outcome.as_json()))) == outcome
