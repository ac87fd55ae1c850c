"""Which photographs can be read to their last pixel: found out before any of them is predicted."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from weakpan.data.cityscapes import CityscapesSplit
from weakpan.data.folder import PhotoFolder


@dataclass(frozen=True)
class ReadWhole:
    """Reads a photograph and, where predictions are to be scored, its real labels; worker processes share the images.

    Attributes:
        photographs: to look at.
        truth: split with real labels that are needed, too; None for none.
    """

    photographs: PhotoFolder | CityscapesSplit
    truth: CityscapesSplit | None

    def is_done(self, image_id: str) -> bool:  # noqa: ARG002
        """Never: every photograph is to be looked at."""
        return False

    def __call__(self, image_id: str) -> Counter[str]:
        """Read one; raises DataError for a file that is damaged."""
        self.photographs.image_size(image_id)
        self.photographs.image(image_id)
        if self.truth is not None:
            self.truth.truth(image_id)
        return Counter(images=1)
