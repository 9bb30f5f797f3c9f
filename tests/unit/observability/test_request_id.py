import os

import pytest

from nexus.observability.request_id import accept_request_id, new_request_id


def test_new_ids_differ_and_would_be_accepted_by_the_next_service() -> None:
    made = {new_request_id() for _ in range(1000)}
    assert len(made) == 1000
    for each in made:
        assert accept_request_id(each.encode()) == each


@pytest.mark.parametrize("value", [b"", b"a b", b"a\n", b"\xff", b"a" * 129, b"<a>", b'"'])
def test_what_could_harm_a_log_line_or_a_header_is_not_accepted(value: bytes) -> None:
    assert accept_request_id(value) is None


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_forked_process_does_not_repeat_its_parents_ids() -> None:
    import subprocess
    import sys

    script = (
        "import os\n"
        "from nexus.observability import request_id as ids\n"
        "ids.new_request_id()\n"
        "child = os.fork()\n"
        "os.write(1, ids.new_request_id().encode() + b' ')\n"
        "child and os.waitpid(child, 0)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, check=True, text=True
    )
    first, second = done.stdout.split()
    assert first != second
