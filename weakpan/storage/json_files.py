"""JSON files: one reader for all formats, which are told as models, and one writer.

    class Shape(Document):
        name: str
        corners: list[WholeNumber]

    shape = read_json(path, Shape, "draw it again")

Values have the type that the model says: the text "false" is no truth value and "3" is no number.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Annotated, Any, TypeVar, cast

from pydantic import BaseModel, BeforeValidator, ConfigDict, TypeAdapter, ValidationError
from pydantic_core import ErrorDetails, from_json

from weakpan.basics.errors import DataError
from weakpan.storage.files import read_text, write_text_atomically

STRICT = ConfigDict(strict=True, allow_inf_nan=False)
"""For models that are typed dictionaries, which are read in less time than classes."""

Model = TypeVar("Model")


class Document(BaseModel):
    """Base of models: values of the right type only, keys that it does not know are passed over."""

    model_config = ConfigDict(strict=True, allow_inf_nan=False, frozen=True, populate_by_name=True)


def _whole(value: object) -> object:
    """A number without a fraction as an int, anything else as it is."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


WHOLE = BeforeValidator(_whole)
"""Marks an int that a JSON file may also write as 10.0; JSON Schema calls both an integer."""

WholeNumber = Annotated[int, WHOLE]


def read_json(path: Path, kind: type[Model], remedy: str) -> Model:
    """Read a JSON file in UTF-8, with or without a byte order mark, or in UTF-16 with one, as a `kind`.

    That is a model, or any type that pydantic knows.

    Raises:
        DataError: a file that is missing, is no JSON (or one of absurd depth), or whose content is no `kind`; then it
            names the place in the document, what was found there and what was expected. The remedy is added.
    """
    try:
        content = read_text(path)
    except FileNotFoundError:
        raise DataError("no such file", path=path, remedy=remedy) from None
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"not readable ({error})", path=path, remedy=remedy) from error
    try:
        return cast(Model, _adapter(cast(Any, kind)).validate_json(content))
    except ValidationError as error:
        raise DataError(_in_words(error, content), path=path, remedy=remedy) from error


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write a JSON file, atomically; raises ValueError for a number that JSON does not know."""
    write_text_atomically(path, json.dumps(content, separators=(",", ":"), allow_nan=False) + "\n")


@cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(kind)


def _in_words(error: ValidationError, content: str) -> str:
    """The first error in one plain line."""
    first = error.errors(include_url=False)[0]
    if first["type"] == "json_invalid":
        return f"not readable as JSON ({first['ctx']['error']})"
    where = _place(first, content)
    if first["type"] == "missing":
        return f"{where} is missing"
    found = json.dumps(first["input"], default=repr)
    expected = first["msg"].removeprefix("Input should be ")
    return f"{where} is {found if len(found) <= 80 else found[:77] + '...'}; expected {expected}"


def _place(error: ErrorDetails, content: str) -> str:
    """Where the error is, as `images[3].boxes[0].kind (ID)`; ID is the name of the outermost object that has one."""
    value, place, named = from_json(content), "", ""
    for position, part in enumerate(error["loc"]):
        inside = part in value if isinstance(value, dict) else isinstance(value, list) and part in range(len(value))
        if not inside and (error["type"] != "missing" or position + 1 < len(error["loc"])):
            # Of a union pydantic also says which choice it speaks of.
            continue
        place += f"[{part}]" if isinstance(part, int) else f".{part}"
        value = value[part] if inside else None
        if isinstance(value, dict) and not named:
            named = next((str(value[key]) for key in ("image_id", "id", "name") if key in value), "")
    return (place.removeprefix(".") or "the whole file") + (f" ({named})" if named else "")
