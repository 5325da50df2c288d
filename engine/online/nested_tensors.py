"""Any state made of dataclasses, lists, dicts, tensors and numbers, to a flat table of tensors and a JSON outline, and back.

For the streaming state of codecs, whose insides are their own. Reading takes a fresh state as pattern: it makes no class that the
pattern does not have.
"""

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any

from torch import Tensor

from engine.errors import BadInputError


def flatten(value: Any, name: str, tensors: dict[str, Tensor]) -> Any:
    """The outline of `value` for JSON; its tensors go into `tensors` under names that begin with `name`."""
    if isinstance(value, Tensor):
        tensors[name] = value.contiguous().clone()
        return {"tensor": name}
    if is_dataclass(value) and not isinstance(value, type):
        return {"fields": {f.name: flatten(vars(value)[f.name], f"{name}.{f.name}", tensors) for f in fields(value)}}
    if isinstance(value, Mapping):
        return {"items": {str(key): flatten(item, f"{name}.{key}", tensors) for key, item in value.items()}}
    if isinstance(value, list | tuple):
        return {"list": [flatten(item, f"{name}.{index}", tensors) for index, item in enumerate(value)]}
    if value is None or isinstance(value, bool | int | float | str):
        return {"value": value}
    raise TypeError(f"{name}: {type(value).__name__} cannot be kept in a file")


def restore(pattern: Any, outline: Any, tensors: Mapping[str, Tensor]) -> Any:
    """The value of an outline; dataclasses are those of `pattern`, filled. `BadInputError` where the two do not match."""
    if not isinstance(outline, dict) or len(outline) != 1:
        raise BadInputError("the session's state is damaged; open a new session")
    ((kind, inside),) = outline.items()
    if kind == "tensor" and isinstance(inside, str) and inside in tensors:
        return tensors[inside]
    if kind == "value" and (inside is None or isinstance(inside, bool | int | float | str)):
        return inside
    if kind == "items" and isinstance(inside, dict):
        return {key: restore(None, item, tensors) for key, item in inside.items()}
    if kind == "list" and isinstance(inside, list):
        return [restore(None, item, tensors) for item in inside]
    names = {f.name for f in fields(pattern)} if is_dataclass(pattern) else None
    if kind == "fields" and isinstance(inside, dict) and inside.keys() == names:
        for name, item in inside.items():
            setattr(pattern, name, restore(vars(pattern)[name], item, tensors))
        return pattern
    raise BadInputError("the session's state does not fit this model; open a new session")
