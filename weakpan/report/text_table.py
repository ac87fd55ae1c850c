"""Tables of plain text for the terminal."""

from __future__ import annotations

from collections.abc import Sequence


def text_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Set a table: the first column to the left, the others to the right, two blanks between them.

    Args:
        head: of the columns.
        rows: cells, as many as `head`.

    Returns:
        Lines without a line break at the end.

    Raises:
        ValueError: a row of another length.
    """
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    lines = []
    for row in (head, *rows):
        cells = [row[0].ljust(widths[0]), *(cell.rjust(w) for cell, w in zip(row[1:], widths[1:], strict=True))]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)
