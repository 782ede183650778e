"""The ablations of dev/ablate.py: a patch that no longer fits would leave a line of the table without its part."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "dev"))

from ablation.parts import ABLATIONS, Patch, PatchError  # noqa: E402 - after its place is known


@pytest.mark.parametrize("name", [one.name for one in ABLATIONS])
def test_every_patch_fits_the_code_and_changes_it(name: str):
    """Each part stands exactly once where the ablation expects it, and what takes its place is something else."""
    ablation = next(one for one in ABLATIONS if one.name == name)
    assert ablation.patches
    for patch in ablation.patches:
        assert patch.fits(ROOT).replace(patch.old, patch.new) != patch.fits(ROOT)


def test_a_patch_that_does_not_fit_is_an_error(tmp_path: Path):
    """No place and two places are both refused, and the file stays as it was."""
    file = tmp_path / "kernel.py"
    for text in ("b = 1\n", "a = 1\na = 1\n"):
        file.write_text(text, encoding="utf-8")
        with pytest.raises(PatchError):
            Patch("kernel.py", "a = 1", "a = 2").apply(tmp_path)
        assert file.read_text(encoding="utf-8") == text
