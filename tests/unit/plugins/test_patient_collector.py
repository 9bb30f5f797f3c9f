import gc
from collections.abc import Iterator

import pytest

from nexus.plugins.patient_collector import patient_collector

USUAL = (700, 10, 10)


@pytest.fixture(autouse=True)
def _usual_collector() -> Iterator[None]:
    before = gc.get_threshold()
    gc.set_threshold(*USUAL)
    yield
    gc.set_threshold(*before)


def test_the_collector_waits_longer_inside_and_as_before_afterwards() -> None:
    with patient_collector():
        assert gc.get_threshold()[0] > USUAL[0]
        assert gc.isenabled()
    assert gc.get_threshold() == USUAL


def test_overlapping_blocks_give_the_first_setting_back_at_the_last_end() -> None:
    first, second = patient_collector(), patient_collector()
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    assert gc.get_threshold()[0] > USUAL[0]
    second.__exit__(None, None, None)
    assert gc.get_threshold() == USUAL


@pytest.mark.parametrize("setting", [(0, 10, 10), (10_000_000, 10, 10)])
def test_a_collector_that_is_off_or_more_patient_is_left_alone(
    setting: tuple[int, int, int],
) -> None:
    gc.set_threshold(*setting)
    with patient_collector():
        assert gc.get_threshold() == setting
    assert gc.get_threshold() == setting


def test_what_somebody_sets_inside_stays() -> None:
    with patient_collector():
        gc.set_threshold(900, 11, 12)
    assert gc.get_threshold() == (900, 11, 12)


def test_what_was_made_inside_can_still_be_collected() -> None:
    class Node:
        itself: "Node"

    node = Node()
    with patient_collector():
        node.itself = node
    assert gc.get_freeze_count() == 0
    assert any(each is node for each in gc.get_objects(generation=2))
    del node
    gc.collect()
    assert not any(type(each) is Node for each in gc.get_objects())
