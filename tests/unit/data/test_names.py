from nexus.data.names import is_name_of, table_prefix


def test_a_short_prefix_may_begin_a_long_one() -> None:
    long = "my_awesome_plugin_with_a_long_name"
    assert table_prefix(long).startswith(table_prefix("my_awesome"))


def test_names_are_told_apart_all_the_same() -> None:
    long = "my_awesome_plugin_with_a_long_name"
    mine, theirs = f"{table_prefix('my_awesome')}items", f"{table_prefix(long)}items"
    assert is_name_of("my_awesome", mine)
    assert not is_name_of("my_awesome", theirs)
    assert is_name_of(long, theirs)
    assert not is_name_of(long, mine)
    assert not is_name_of("my_awesome", "my_awesomer__items")
    assert not is_name_of("my_awesome", "my_awesome_items")
    assert is_name_of("my_awesome", "my_awesome__deadbeef")
