"""Class tables: one a data set, from which everything else about classes is derived.

A class has a *train id* (its position in the table, the value in semantic maps), a *dataset id* (its value in the data
set's own label files), a name, a colour and a kind: thing (countable, has boxes) or stuff (has only tags).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from weakpan.basics.arrays import IGNORE, SemanticMap
from weakpan.basics.errors import DataError

MAX_CLASSES = 254
"""Train ids are stored in 8 bits; 255 is ignore and 254 is kept free."""

_UNKNOWN = -1


@dataclass(frozen=True)
class ClassInfo:
    """One row of a class table.

    Attributes:
        name: as people read it, unique in the table.
        dataset_id: value of this class in the data set's label files (a Cityscapes label id, for instance).
        color: RGB, 0..255.
        is_thing: True for countable classes with boxes, False for stuff.
    """

    name: str
    dataset_id: int
    color: tuple[int, int, int]
    is_thing: bool


@dataclass(frozen=True)
class Catalog:
    """A class table; the train id of a class is its position.

    Attributes:
        name: of the table.
        classes: in the order of their train ids.
        ignored_dataset_ids: values that the data set's label files may hold and that are no class here; they become
            255. Any other value is an error when a map is read.
    """

    name: str
    classes: tuple[ClassInfo, ...]
    ignored_dataset_ids: frozenset[int] = frozenset()

    def __post_init__(self) -> None:
        """Refuse tables that cannot be stored or are ambiguous."""
        if not 1 <= len(self.classes) <= MAX_CLASSES:
            raise DataError(f"class table {self.name!r} has {len(self.classes)} classes; expected 1 to {MAX_CLASSES}")
        for what, values in (("name", self.names), ("dataset_id", [c.dataset_id for c in self.classes])):
            twice = sorted({str(v) for v in values if list(values).count(v) > 1})
            if twice:
                raise DataError(f"class table {self.name!r}: {what} {', '.join(twice)} occurs twice; make it unique")

    @property
    def num_classes(self) -> int:
        """Number of train ids."""
        return len(self.classes)

    @property
    def names(self) -> tuple[str, ...]:
        """Class names by train id."""
        return tuple(c.name for c in self.classes)

    @cached_property
    def thing_ids(self) -> tuple[int, ...]:
        """Train ids of things, ascending."""
        return tuple(i for i, c in enumerate(self.classes) if c.is_thing)

    @cached_property
    def stuff_ids(self) -> tuple[int, ...]:
        """Train ids of stuff, ascending."""
        return tuple(i for i, c in enumerate(self.classes) if not c.is_thing)

    @cached_property
    def is_thing(self) -> npt.NDArray[np.bool_]:
        """(256,) lookup: True at the train ids of things; False for stuff, free values and 255."""
        table = np.zeros(256, bool)
        table[list(self.thing_ids)] = True
        return table

    @cached_property
    def palette(self) -> npt.NDArray[np.uint8]:
        """(256, 3) RGB colour of every value of a semantic map; 255 and free values are black."""
        table = np.zeros((256, 3), np.uint8)
        table[: self.num_classes] = [c.color for c in self.classes]
        return table

    @cached_property
    def _train_id_of(self) -> npt.NDArray[np.int16]:
        table = np.full(256, _UNKNOWN, np.int16)
        for value in self.ignored_dataset_ids:
            table[value] = IGNORE
        for train_id, info in enumerate(self.classes):
            table[info.dataset_id] = train_id
        table[IGNORE] = IGNORE
        return table

    def train_id_named(self, name: str) -> int:
        """Train id of the class called `name`; raises DataError for a name that is not in the table."""
        try:
            return self.names.index(name)
        except ValueError:
            raise DataError(f"class {name!r} is not in class table {self.name!r} ({', '.join(self.names)})") from None

    def to_train_ids(self, dataset_ids: npt.NDArray[np.integer], source: str) -> SemanticMap:
        """Translate a map of dataset ids to train ids.

        Args:
            dataset_ids: (H, W) values of the data set's label files, 0..255.
            source: file name for the error message.

        Returns:
            (H, W) uint8 train ids, 255 for ignored values.

        Raises:
            DataError: a value that is neither a class nor an ignored id of this table.
        """
        values = np.unique(dataset_ids)
        unknown = [int(v) for v in values if not 0 <= v <= 255 or self._train_id_of[v] == _UNKNOWN]
        if unknown:
            raise DataError(
                f"{source}: label id {', '.join(map(str, unknown[:8]))} is not in class table {self.name!r}; "
                "correct the file, or choose another table with data.classes"
            )
        train_ids: SemanticMap = self._train_id_of[dataset_ids].astype(np.uint8)
        return train_ids

    def check_train_ids(self, train_ids: npt.NDArray[np.integer], source: str) -> SemanticMap:
        """Return a map that already holds train ids as uint8; raises DataError on a value outside the table."""
        unknown = [int(v) for v in np.unique(train_ids) if not 0 <= v < self.num_classes and v != IGNORE]
        if unknown:
            raise DataError(
                f"{source}: train id {', '.join(map(str, unknown[:8]))} is outside class table {self.name!r} "
                f"(0 to {self.num_classes - 1}, or {IGNORE} for ignore)"
            )
        return train_ids.astype(np.uint8)

    def subset(self, name: str, class_names: Iterable[str]) -> Catalog:
        """A table of some of these classes, in this table's order; the others become ignored dataset ids."""
        wanted = {self.train_id_named(n) for n in class_names}
        kept = tuple(c for i, c in enumerate(self.classes) if i in wanted)
        dropped = frozenset(c.dataset_id for i, c in enumerate(self.classes) if i not in wanted)
        return Catalog(name, kept, self.ignored_dataset_ids | dropped)


def _cityscapes() -> Catalog:
    # Names, ids and colours as in the data set's published label definition (labels.py).
    rows = (
        ("road", 7, (128, 64, 128), False),
        ("sidewalk", 8, (244, 35, 232), False),
        ("building", 11, (70, 70, 70), False),
        ("wall", 12, (102, 102, 156), False),
        ("fence", 13, (190, 153, 153), False),
        ("pole", 17, (153, 153, 153), False),
        ("traffic light", 19, (250, 170, 30), False),
        ("traffic sign", 20, (220, 220, 0), False),
        ("vegetation", 21, (107, 142, 35), False),
        ("terrain", 22, (152, 251, 152), False),
        ("sky", 23, (70, 130, 180), False),
        ("person", 24, (220, 20, 60), True),
        ("rider", 25, (255, 0, 0), True),
        ("car", 26, (0, 0, 142), True),
        ("truck", 27, (0, 0, 70), True),
        ("bus", 28, (0, 60, 100), True),
        ("train", 31, (0, 80, 100), True),
        ("motorcycle", 32, (0, 0, 230), True),
        ("bicycle", 33, (119, 11, 32), True),
    )
    classes = tuple(ClassInfo(*row) for row in rows)
    ignored = frozenset(range(34)) - {c.dataset_id for c in classes}
    return Catalog("cityscapes", classes, ignored)


CITYSCAPES = _cityscapes()

CAMVID = CITYSCAPES.subset(
    "camvid",
    (
        "road", "sidewalk", "building", "fence", "pole", "traffic sign",
        "vegetation", "sky", "person", "rider", "car",
    ),
)  # fmt: skip

TOY_CITY = CITYSCAPES.subset(
    "toy_city",
    (
        "road", "sidewalk", "building", "pole", "traffic sign", "vegetation",
        "sky", "person", "rider", "car", "bicycle",
    ),
)  # fmt: skip

BUILT_IN = {table.name: table for table in (CITYSCAPES, CAMVID, TOY_CITY)}
