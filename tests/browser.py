"""The machine's own Chromium, driven by Playwright; nothing is installed here."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, sync_playwright

USUAL = "/usr/bin/chromium"
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
# A test's browser talks to the console and to nobody else.
ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
GRAVE = {"serious", "critical"}


def chromium_path() -> str:
    """Return where Chromium is: CHROMIUM, its usual place, or the PATH; fails with what to do where there is none."""
    chosen = os.environ.get("CHROMIUM")
    if chosen:
        if Path(chosen).is_file():
            return chosen
        raise AssertionError(f"CHROMIUM={chosen} is no file; unset it, or name the browser's program")
    if Path(USUAL).is_file():
        return USUAL
    for name in NAMES:
        if found := shutil.which(name):
            return found
    raise AssertionError(
        "no Chromium on this machine: run dev/browser.sh, or `apt-get install chromium`, or set CHROMIUM to its program"
    )


@contextmanager
def chromium() -> Iterator[Browser]:
    """Run a headless Chromium for the length of the block."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium_path(), args=list(ARGUMENTS))
        try:
            yield browser
        finally:
            browser.close()


def assert_accessible(page: Page) -> None:
    """Fail where axe-core finds a serious or critical violation on the page as it is now."""
    violations = Axe().run(page).response["violations"]
    grave = [
        f"{found['impact']}: {found['help']}: {node['target']} {node.get('failureSummary', '')}"
        for found in violations
        if found["impact"] in GRAVE
        for node in found["nodes"]
    ]
    assert not grave, f"{page.url}\n" + "\n".join(grave)
