"""axe-core on a part of the page."""

from __future__ import annotations

from typing import Any

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

_axe = Axe()


def findings(page: Page, selector: str, *, impacts: tuple[str, ...] = ("serious", "critical")) -> list[str]:
    """Return what axe-core finds wrong inside `selector`, one line for each element; the script comes with the package.

    Raises
    ------
    ValueError
        When nothing was checked: then finding nothing would say nothing.
    """
    answer: dict[str, Any] = _axe.run(page, selector, {"resultTypes": ["violations", "passes"]}).response
    if not answer["passes"]:
        raise ValueError(f"axe-core checked nothing inside {selector!r}")
    return [
        f"{found['impact']}: {found['id']}: {found['help']}: {node['target']} {node['html'][:160]}"
        for found in answer["violations"]
        if found["impact"] in impacts
        for node in found["nodes"]
    ]
