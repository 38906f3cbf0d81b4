"""What all widgets of this package have in common."""

from __future__ import annotations

import html
import threading
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

import anywidget
import traitlets

from courier_nb.core.errors import CourierError, InvalidArgument
from courier_nb.core.printable import plain


class CourierWidget(anywidget.AnyWidget):
    """A widget whose front end sends ``{"do": name, ...}``, which the method ``_do_<name>`` answers.

    Synced traits hold what may be saved with a notebook: never bodies, properties, locks or secrets. Those go to the front end
    by `tell`, when it asks for them.

    Parameters
    ----------
    **traits
        Values of the widget's traits; an unknown one is refused.

    Attributes
    ----------
    error : str
        What went wrong last, in words that a person can act on; empty when nothing did. Shown under the widget.
    failure : BaseException or None
        The error itself; it stays in this kernel.

    Raises
    ------
    InvalidArgument
        When a keyword is not a trait of the widget.
    """

    error = traitlets.Unicode("").tag(sync=True)

    def __init__(self, **traits: Any) -> None:
        self._turn = threading.RLock()
        self.failure: BaseException | None = None
        for name in traits:
            if not self.has_trait(name) or name.startswith("_"):
                raise InvalidArgument(f"{type(self).__name__} has no {name!r}.")
        super().__init__(**traits)
        self.on_msg(self._answer)

    def change(self, **values: Any) -> None:
        """Set traits together, from whichever thread; the front end learns of them in one message.

        Never call it on the background loop, which must not wait.
        """
        with self._turn, self.hold_sync():
            for name, value in values.items():
                setattr(self, name, value)

    def tell(self, message: dict[str, Any], buffers: Sequence[bytes | memoryview] = ()) -> None:
        """Send something to the front end that is not kept in the widget's state."""
        with self._turn:
            self.send(message, buffers=list(buffers))

    def set_state(self, sync_data: dict[str, Any]) -> None:
        with self._turn:
            super().set_state(sync_data)

    def show_error(self, error: BaseException) -> None:
        """Show what went wrong under the widget."""
        self.change(error=plain(self.words_of(error)))

    def words_of(self, error: BaseException) -> str:
        """Return an error in words, with its notes; `failure` is that error from now on.

        An error that is neither ours nor of the operating system may quote a message, as those of pandas and Arrow do: of it only
        the kind is told, since the words are saved with a notebook.
        """
        self.failure = error
        if isinstance(error, CourierError):
            words = str(error)
        elif isinstance(error, OSError):
            words = f"{type(error).__name__}: {error}"
        else:
            words = (
                f"{type(error).__name__}: its text may quote a message and is not shown; the widget's attribute failure has it."
            )
        return " ".join([words, *getattr(error, "__notes__", ())]).strip()

    def _answer(self, _: object, message: dict[str, Any], buffers: Sequence[memoryview]) -> None:
        handle: Callable[..., None] | None = getattr(self, f"_do_{message.get('do')}", None)
        if handle is None:
            return
        try:
            handle(message, buffers)
        except Exception as error:  # noqa: BLE001  # the edge: an error of a click has no cell to appear in
            self.show_error(error)

    def _words(self) -> list[str]:
        """Return the widget in a few lines of text, for places that cannot show it."""
        return [type(self).__name__]

    def _repr_mimebundle_(self, **options: Any) -> Any:
        found = super()._repr_mimebundle_(**options)
        bundle, metadata = found if isinstance(found, tuple) else (found or {}, {})
        lines = [plain(line) for line in self._words()]
        lines.append("(A widget: it comes alive in JupyterLab, Notebook 7 or VS Code with ipywidgets installed.)")
        text = html.escape("\n".join(lines))
        bundle["text/plain"] = "\n".join(lines)
        bundle["text/html"] = f'<pre class="tex2jax_ignore mathjax_ignore">{text}</pre>'
        return bundle, metadata

    def __repr__(self) -> str:
        return f"<{plain(self._words()[0])}>"

    def __reduce__(self) -> NoReturn:
        raise TypeError(f"A {type(self).__name__} belongs to this kernel and is not pickled.")
