"""What decided the pixels of a set of pseudo labels, on disk.

A folder with two files an image: `ID_rules.png`, an indexed PNG with a colour a rule, whose indices are positions in
`trail.rule_table`, and `ID_changes.csv`:

    step,from,to,pixels
    input,road,road,512034                   so many pixels of each class before the first rule
    tag_check,building,(no label),20345      so many pixels that the rule found as one class and left as another
    instances,car,car,310                    so many pixels of a class whose instance is unknown

and, once all images are done, `changes.csv`, the rows of all of them with `image_id` in front.
"""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from weakpan.basics.arrays import SemanticMap
from weakpan.basics.catalog import Catalog
from weakpan.basics.errors import DataError
from weakpan.labels.trail import AuditTrail, Change, Totals, total
from weakpan.storage.files import replacing, write_text_atomically
from weakpan.storage.images import read_map, write_indexed_png
from weakpan.storage.layout import checked_id

COLUMNS = ("step", "from", "to", "pixels")


class AuditStore:
    """Reads and writes the folder described at the top of this module; holds no state besides its path.

    Several processes may write different images at the same time; one of them merges.

    Args:
        folder: of one round; made by the first write.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.table_path = folder / "changes.csv"

    def rules_path(self, image_id: str) -> Path:
        """File of an image's map of rules; raises DataError for an id that is no plain file name."""
        return self.folder / f"{checked_id(image_id)}_rules.png"

    def changes_path(self, image_id: str) -> Path:
        """File of an image's table of changes; raises DataError for an id that is no plain file name."""
        return self.folder / f"{checked_id(image_id)}_changes.csv"

    def has(self, image_id: str) -> bool:
        """Whether both files of an image are there."""
        return self.rules_path(image_id).is_file() and self.changes_path(image_id).is_file()

    def write(self, image_id: str, trail: AuditTrail, catalog: Catalog) -> None:
        """Write map and table of one image; `has` is True only when both are whole.

        Raises:
            DataError: an id that is no plain file name.
        """
        text = io.StringIO(newline="")
        rows = csv.writer(text, lineterminator="\n")
        rows.writerows([COLUMNS, *trail.changes(catalog)])
        write_text_atomically(self.changes_path(image_id), text.getvalue())
        write_indexed_png(self.rules_path(image_id), trail.deciding_rule(), trail.table.palette)

    def read_rules(self, image_id: str) -> SemanticMap:
        """Positions in the table of rules, (H, W) uint8; raises DataError for a file that is missing or damaged."""
        path = self.rules_path(image_id)
        values = read_map(path)
        if values.dtype != np.uint8:
            raise DataError("expected 8 bits; not a map of rules", path=path, remedy="make it again")
        return values.astype(np.uint8, copy=False)

    def read_changes(self, image_id: str) -> list[Change]:
        """The table of one image; raises DataError if it is missing or not of this format."""
        path = self.changes_path(image_id)
        try:
            with path.open(encoding="utf-8", newline="") as file:
                header, *rows = csv.reader(file)
            if tuple(header) != COLUMNS:
                raise ValueError(f"columns {', '.join(header)}; expected {', '.join(COLUMNS)}")
            return [Change(step, before, after, int(pixels)) for step, before, after, pixels in rows]
        except FileNotFoundError:
            raise DataError(f"{path}: no such table of changes; make the labels of this image again") from None
        except (OSError, ValueError, csv.Error) as error:
            raise DataError(f"{path}: not a table of changes ({error}); make the labels of this image again") from error

    def merge(self, ids: Iterable[str]) -> Totals:
        """Write the table of the whole set from those of its images, atomically, holding one image at a time.

        An earlier table is replaced, so that it may be called after every run.

        Args:
            ids: of all images, in the order that the table shall have.

        Returns:
            Pixels by (step, class before, class after) over all of them.

        Raises:
            DataError: the table of an image is missing or damaged; then no new table is written.
        """
        totals: Totals = Counter()
        with replacing(self.table_path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
            table = csv.writer(file, lineterminator="\n")
            table.writerow(("image_id", *COLUMNS))
            for image_id in ids:
                changes = self.read_changes(image_id)
                table.writerows((image_id, *change) for change in changes)
                totals.update(total(changes))
        return totals
