"""What was decided once is decided again: recorded lives, fed to the code as it is now."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from fsm.codec import decode_event
from fsm.machine import decide
from fsm.policy import Policy
from fsm.states import State
from tests.replay.recording import EACH, LIVES, UNDER, said
from tests.unit.fsm.scenes import Scene

RECORDED = sorted(LIVES.glob("*.jsonl"))


@pytest.mark.parametrize("path", RECORDED, ids=lambda path: path.stem)
def test_a_recorded_life_is_decided_as_it_was(path: Path):
    scene = Scene(UNDER.get(path.stem, Policy()))
    for number, line in enumerate(path.read_text().splitlines(), 1):
        recorded = json.loads(line)
        event = decode_event(json.dumps(recorded.pop("event")).encode())
        scene.last = decide(scene.snapshot, event, scene.policy)
        scene.snapshot = getattr(scene.last, "snapshot", scene.snapshot)
        assert said(scene) == recorded, f"{path.name}:{number}"
    assert scene.state in {State.PROVISIONED, State.RETIRED}


def test_every_kind_of_life_is_recorded():
    assert {path.stem for path in RECORDED} == {life.__name__ for life in EACH}
