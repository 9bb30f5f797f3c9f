"""Which tables a migration makes is read from its source."""

from pathlib import Path

from nexus.data.migrations.made import tables_made


def test_tables_that_upgrade_surely_makes_are_found(tmp_path: Path) -> None:
    file = tmp_path / "0001.py"
    file.write_text(
        "NAME = 'a__named'\n"
        "def upgrade():\n"
        "    table = op.create_table('a__one', column)\n"
        "    if table:\n"
        "        op.create_table('a__two', column)\n"
        "    op.create_table(NAME, column)\n"
        "    op.create_table('a__careful', column, if_not_exists=True)\n"
        "    op.drop_table('a__dropped')\n"
        "    create_table('a__other')\n"
        "def downgrade():\n"
        "    op.create_table('a__three', column)\n"
    )
    assert tables_made(file) == {"a__one", "a__two"}
