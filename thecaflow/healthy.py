"""``python -m thecaflow.healthy [healthz|readyz]``: asks the process of this container how it is; exit 0 if well.

The image's health check. A container runs one of gateway, worker, console and pager, so whichever port answers is asked, and
the image needs no curl.
"""

import sys
import urllib.error
import urllib.request
from collections.abc import Sequence
from typing import Final

from contract.errors import ThecaflowError
from thecaflow.settings import Settings

TIMEOUT_S: Final = 4.0
PAGES: Final = ("healthz", "readyz")
_direct: Final = urllib.request.build_opener(urllib.request.ProxyHandler({})).open
"""Past any proxy: an engine may give its containers one for the way out."""


def report(settings: Settings, page: str) -> tuple[bool, str]:
    """Ask for `page` on each of our servers' ports; return whether any said 200, with one line to show."""
    heard = []
    for port in (settings.gateway_port, settings.worker_port, settings.console_port, settings.pager_port):
        try:
            with _direct(f"http://127.0.0.1:{port}/{page}", timeout=TIMEOUT_S) as answer:
                return True, f"port {port}: {answer.status}"
        except urllib.error.HTTPError as refused:
            heard.append(f"port {port}: {refused.code} {refused.read(400).decode(errors='replace').strip()}")
        except OSError:
            continue
    return False, "; ".join(heard) or "nothing answers"


def main(arguments: Sequence[str] | None = None) -> int:
    """Print what was heard and return the exit code: 0 well, 1 not, 2 wrong usage."""
    words = list(sys.argv[1:] if arguments is None else arguments) or [PAGES[0]]
    if len(words) != 1 or words[0] not in PAGES:
        print(f"usage: python -m thecaflow.healthy [{'|'.join(PAGES)}]", file=sys.stderr)
        return 2
    try:
        well, heard = report(Settings.from_env(), words[0])
    except ThecaflowError as wrong:
        well, heard = False, str(wrong)
    print(heard)
    return 0 if well else 1


if __name__ == "__main__":
    sys.exit(main())
