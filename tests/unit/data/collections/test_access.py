"""Every public method of a collection reads or writes."""

from nexus.data.collections import READS, WRITES, Collection


def test_every_method_is_one_or_the_other() -> None:
    methods = {name for name in dir(Collection) if name[0] != "_" and name != "name"}

    assert methods == READS | WRITES
    assert not READS & WRITES
