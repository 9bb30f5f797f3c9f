from nexus.audit import Denials


def test_a_loop_of_refusals_is_one_row_with_count_first_and_last() -> None:
    denials = Denials()
    for number in range(1000):
        denials.note("foo", "database.read", f"read the data '{number}'")
    denials.note("foo", "database.write", "write")
    found = {kind.permission: gathered for kind, gathered in denials.take()}
    shown = found["database.read"].dict("database.read")
    assert shown["count"] == 1000
    assert shown["attempt"] == "read the data '999'"
    assert shown["first"] <= shown["last"]
    assert found["database.write"].count == 1


def test_more_of_the_same_waits_and_is_counted_unless_everything_is_taken() -> None:
    denials = Denials()
    denials.note("foo", "database.read", "read")
    assert len(denials.take()) == 1
    denials.note("foo", "database.read", "read")
    denials.note("foo", "database.read", "read")
    assert denials.take() == []
    [(_, gathered)] = denials.take(everything=True)
    assert gathered.count == 2


def test_what_could_not_be_written_is_counted_with_what_came_meanwhile() -> None:
    denials = Denials()
    denials.note("foo", "database.read", "read")
    taken = denials.take()
    denials.note("foo", "database.read", "read")
    denials.give_back(taken)
    [(_, gathered)] = denials.take()
    assert gathered.count == 2
    assert gathered.first == taken[0][1].first


def test_scopes_that_a_plugin_makes_up_do_not_fill_the_memory() -> None:
    denials = Denials()
    for number in range(10_100):
        denials.note("foo", f"services.use:{number}", "use")
    found = denials.take()
    assert len(found) <= 10_001
    assert sum(gathered.count for _, gathered in found) == 10_100
