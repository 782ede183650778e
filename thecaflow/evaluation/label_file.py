"""Reads a labels file: the truth about a fleet, by pump."""

from __future__ import annotations

from collections import defaultdict

from ingest.simulator import Label, LabelError, decode_label
from thecaflow.event_files import EventFile, shown_name


def read_labels(path: str) -> dict[str, list[Label]]:
    """Labels by pump, in the order of the file.

    Raises LabelError for a line that is none or a file without any, UnreadableFileError for a file that can't be read.
    """
    by_pump: dict[str, list[Label]] = defaultdict(list)
    for number, line in EventFile(path).lines():
        try:
            label = decode_label(line)
        except LabelError as wrong:
            raise LabelError(f"{shown_name(path)}, line {number}: {wrong}") from None
        by_pump[label.pump].append(label)
    if not by_pump:
        raise LabelError(
            f"{shown_name(path)} holds no label; `thecaflow simulate --labels` writes such a file"
        )
    return dict(by_pump)
