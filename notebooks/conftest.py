"""The kernels of the notebooks stay out of the home folder of whoever runs the tests, and draw no progress bars."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator

import pytest

_place = pytest.StashKey[str]()


def pytest_configure(config: pytest.Config) -> None:
    folder = tempfile.TemporaryDirectory(prefix="courier_nb-notebooks-", ignore_cleanup_errors=True)
    config.add_cleanup(folder.cleanup)
    config.stash[_place] = folder.name


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup(item: pytest.Item) -> Iterator[None]:
    """Whatever is set here is inherited by the kernel, which starts with the first cell of a notebook."""
    place = item.config.stash[_place]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", f"{place}/state")
        patch.setenv("XDG_DATA_HOME", f"{place}/data")
        patch.setenv("TQDM_DISABLE", "1")
        return (yield)
