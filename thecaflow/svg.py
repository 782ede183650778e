"""Pictures as one SVG file each that needs nothing else: the frame and the looks that all of them share."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Final

from contract.errors import UnusableInputError

STYLE: Final = (
    "text{font:12px sans-serif;fill:#222}.head{font-weight:bold;font-size:14px}.grid{stroke:#ddd}"
    ".axis{stroke:#444}.ideal{stroke:#999;stroke-dasharray:4 3}.ours{fill:#0b62a4;stroke:#0b62a4}"
    ".other{fill:#b3541e;stroke:#b3541e}path{fill:none;stroke-width:1.6}"
)
# Told apart by those who see few colours, too (Okabe and Ito), and by dashes from the ninth on.
COLOURS: Final = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000", "#8a8a00")
HEAD_X: Final = 56


def picture(title: str, width: float, height: float, parts: Sequence[str]) -> str:
    """Return a whole file with its title drawn at the top; `parts` are elements that may stand anywhere below."""
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" width="{width:.0f}" '
        f'height="{height:.0f}" role="img"><title>{escape(title)}</title><style>{STYLE}</style>'
        f'<rect width="100%" height="100%" fill="#fff"/><text class="head" x="{HEAD_X}" y="20">{escape(title)}</text>'
        f"{''.join(parts)}</svg>\n"
    )


def write(path: Path, content: str) -> None:
    """Write a picture; UnusableInputError where that can't be done."""
    try:
        path.write_text(content, encoding="utf-8")
    except OSError as failed:
        raise UnusableInputError(f"can't write the picture {path}: {failed.strerror}") from failed


def round_step(span: float, most: int) -> float:
    """Return the smallest of 1, 2, 5 times a power of ten that cuts a span above 0 into at most `most` parts."""
    rough = span / most
    power = 10.0 ** math.floor(math.log10(rough))
    return next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough * 0.999)
