"""The browser that looks at the site: where it is, and how it is started."""

import shutil
from contextlib import contextmanager

# The first is the same engine without windows: in others each context of a test opens
# one, whose own pages take as much time as those of the site.
BROWSERS = (
    "chromium-headless-shell",
    "chromium",
    "chromium-browser",
    "google-chrome",
    "chrome",
)
# A browser without a sandbox runs in containers; the rest keeps it from phoning home.
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    # Pages that share what they keep share compiled code as well: Python starts sooner.
    "--process-per-site",
    # No page may leave this machine; what tries to is recorded all the same.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
]


def program():
    """Return the path of an installed browser, None without one."""
    return next(filter(None, map(shutil.which, BROWSERS)), None)


@contextmanager
def chromium():
    """Start the installed browser; ``RuntimeError`` says what to do without one."""
    from playwright.sync_api import sync_playwright

    path = program()
    if path is None:
        raise RuntimeError(f"no browser was found: install one of {BROWSERS}")
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield launched
        launched.close()
