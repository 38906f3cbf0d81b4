"""What went wrong is shown in words that may be saved with a notebook."""

from __future__ import annotations

from courier_nb import InvalidArgument
from courier_nb.jupyter import CourierWidget

_ERRORS = {
    "pandas": ValueError("could not convert string to float: 'a body'"),
    "ours": InvalidArgument("Select rows in the table first."),
    "system": FileNotFoundError(2, "No such file or directory", "captures/today"),
}


class _Failing(CourierWidget):
    _esm = "export default { render() {} };"

    def _do_fail(self, message: dict, _: object) -> None:
        raise _ERRORS[message["with"]]


def test_an_error_that_may_quote_a_message_is_named_and_kept_in_this_kernel_only() -> None:
    widget = _Failing()
    widget._handle_custom_msg({"do": "fail", "with": "pandas"}, [])
    assert "ValueError" in widget.error
    assert "a body" not in str(widget.get_state())
    assert widget.failure is _ERRORS["pandas"]


def test_errors_of_ours_and_of_the_operating_system_say_what_a_person_can_act_on() -> None:
    widget = _Failing()
    widget._handle_custom_msg({"do": "fail", "with": "ours"}, [])
    assert widget.error == "Select rows in the table first."
    widget._handle_custom_msg({"do": "fail", "with": "system"}, [])
    assert widget.error == "FileNotFoundError: [Errno 2] No such file or directory: 'captures/today'"
