"""What `audit=true` adds to the stage `labels`: which rule decided each pixel, tables of changes, and pictures."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from weakpan.basics.catalog import Catalog
from weakpan.basics.errors import DataError
from weakpan.labels.inputs import LabelInput
from weakpan.labels.pipeline import INPUT, INSTANCES, PseudoLabels
from weakpan.labels.trail import AuditTrail
from weakpan.labels.trail_store import AuditStore
from weakpan.storage.images import is_whole, read_rgb, write_png

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class LabelAudit:
    """Writes the record of each image into `OUT/audit`, beside the panels of some.

    Attributes:
        store: maps of rules and tables of changes.
        image_path: finds an image for its panel, which does without where there is none.
        pictured: ids of the images that get a panel.
    """

    store: AuditStore
    image_path: Callable[[str], Path | None]
    pictured: frozenset[str]

    def panel_path(self, image_id: str) -> Path:
        """Picture of the map after every rule."""
        return self.store.folder / f"{image_id}_panel.png"

    def has(self, image_id: str) -> bool:
        """Whether everything that belongs to an image is there and whole."""
        try:
            self.store.read_changes(image_id)
        except DataError:
            return False
        pictures = [self.store.rules_path(image_id)]
        if image_id in self.pictured:
            pictures.append(self.panel_path(image_id))
        return all(map(is_whole, pictures))

    def write(self, inp: LabelInput, labels: PseudoLabels, trail: AuditTrail, catalog: Catalog) -> None:
        """Write the record of one image."""
        image_id = inp.annotation.image_id
        if image_id in self.pictured:
            # Only pictures need fonts and drawing.
            from weakpan.report.rule_panel import rule_panel

            path = self.image_path(image_id)
            image = None if path is None else read_rgb(path)
            write_png(self.panel_path(image_id), rule_panel(image, inp.annotation, catalog, trail, labels))
        self.store.write(image_id, trail, catalog)

    def join(self, ids: Sequence[str]) -> None:
        """Put the table of the whole set together and say what every rule changed."""
        totals = self.store.merge(ids)
        pixels = sum(n for (step, _, _), n in totals.items() if step == INPUT)
        log.info(
            "audit: %s holds the changes of %d images; share of all pixels changed by", self.store.table_path, len(ids)
        )
        for rule in dict.fromkeys(step for step, _, _ in totals if step != INPUT):
            rows = Counter({(before, after): n for (step, before, after), n in totals.items() if step == rule})
            if not rows:
                continue
            share = f"  {rule}: {100 * rows.total() / max(1, pixels):.2f} %"
            most = rows.most_common(3)
            if rule == INSTANCES:
                parts = ", ".join(f"{100 * n / rows.total():.0f} % {name}" for (name, _), n in most)
                log.info("%s lies in several boxes of its class: %s", share, parts)
            else:
                parts = ", ".join(f"{100 * n / rows.total():.0f} % {a} to {b}" for (a, b), n in most)
                log.info("%s; %s", share, parts)
