"""Chromium, cut off from everything but loopback."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

from playwright.sync_api import Browser, BrowserContext, Route, sync_playwright

_LOOPBACK = ("127.0.0.1", "localhost", None)  # None: data: and blob: addresses
_ACTION_MS = 15_000
_FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage", "--force-color-profile=srgb",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",  # also what no route sees: websockets
]  # fmt: skip


def find_chromium() -> str | None:
    """Return the browser to use: ``CHROMIUM``, or one on the path."""
    names = (os.environ.get("CHROMIUM"), "chromium", "chromium-browser", "google-chrome")
    return next((found for name in names if name and (found := shutil.which(name))), None)


@contextmanager
def open_browser(chromium: str) -> Iterator[Browser]:
    """Run the browser while the block runs."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=_FLAGS)
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def fresh_context(browser: Browser, external: list[str]) -> Iterator[BrowserContext]:
    """Open a profile of its own while the block runs; addresses that are not loopback's are refused and put into `external`."""

    def gate(route: Route) -> None:
        external.append(route.request.url)
        route.abort()

    # Chromium asks nobody for a host in the loopback's own addresses, so only the others need to come by here.
    context = browser.new_context(
        viewport={"width": 1280, "height": 1000}, permissions=["clipboard-read", "clipboard-write"], service_workers="block"
    )
    context.set_default_timeout(_ACTION_MS)
    context.route(lambda address: urlsplit(address).hostname not in _LOOPBACK, gate)
    context.on(
        "page",
        lambda page: page.on(
            "websocket", lambda found: external.append(found.url) if urlsplit(found.url).hostname not in _LOOPBACK else None
        ),
    )
    try:
        yield context
    finally:
        context.close()
