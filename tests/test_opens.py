"""No file whose place others can fill is opened plainly; what the check takes for that."""

from __future__ import annotations

import pytest

from tests import opens


def test_files_are_opened_plainly_only_where_the_list_says_why(capsys: pytest.CaptureFixture[str]) -> None:
    status = opens.main()

    assert (status, capsys.readouterr().out) == (0, "")


@pytest.mark.parametrize(
    "call",
    ["open(file)", "file.open()", "file.open('rb')", "file.open(mode=m)", "file.read_text()", "os.open(file, 0)"],
)
def test_a_plain_call_is_found_in_its_function(call: str) -> None:
    text = f"def read(file):\n    return [{call} for _ in '1']\n"

    assert list(opens.calls("automl/x.py", text)) == [("automl/x.py: read", 2)]


@pytest.mark.parametrize("call", ["tracker.open(study)", "open_regular(file)", "webbrowser.open(uri)"])
def test_other_calls_are_none(call: str) -> None:
    assert list(opens.calls("automl/x.py", f"{call}\n")) == []
