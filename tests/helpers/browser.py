"""A real browser without a window: what it makes of a page."""

import json
import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

VARIABLE = "CHROMIUM"
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")


def browser() -> str:
    """The browser's path. That there is none is a failure, not a reason to pass."""
    given = os.environ.get(VARIABLE)
    found = [given] if given else [path for name in NAMES if (path := shutil.which(name))]
    if not found:
        pytest.fail(
            f"no browser: none of {', '.join(NAMES)} is on the PATH; install Chromium, or give "
            f"its path in the environment variable {VARIABLE}",
            pytrace=False,
        )
    return found[0]


@dataclass(frozen=True)
class Visit:
    """What a browser made of a page: its DOM, its console, and what it asked the network for."""

    dom: str
    console: list[str]
    requests: list[str]


def visit(path: Path, folder: Path, *flags: str, query: str = "") -> Visit:
    """Open a page in a headless browser that can resolve no name."""
    log = folder / "net.json"
    done = subprocess.run(
        [
            browser(),
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--no-first-run",
            "--disable-background-networking",
            "--host-resolver-rules=MAP * ~NOTFOUND",
            f"--user-data-dir={folder / 'profile'}",
            f"--log-net-log={log}",
            "--enable-logging=stderr",
            "--v=0",
            "--virtual-time-budget=8000",
            *flags,
            "--dump-dom",
            path.as_uri() + (f"?{query}" if query else ""),
        ],
        capture_output=True,
        text=True,
        timeout=150,
        check=True,
    )
    return Visit(
        done.stdout,
        [line for line in done.stderr.splitlines() if re.search(r":CONSOLE[:(]", line)],
        _requests(log),
    )


def _requests(log: Path) -> list[str]:
    """Addresses that the page asked for, files apart. The browser's own have no file as origin."""
    events = json.loads(log.read_text(encoding="utf-8"))["events"]
    asked = [event["params"] for event in events if isinstance(event.get("params"), dict)]
    return [
        params["url"]
        for params in asked
        if str(params.get("network_isolation_key", "")).startswith("file:")
        and not str(params.get("url")).startswith(("file:", "data:"))
    ]
