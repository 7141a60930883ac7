"""The base model that the settings name, and what to do when it cannot be used."""

from __future__ import annotations

from collections.abc import Callable

from ondevice.errors import BaseModelError
from ondevice.home import Home
from ondevice.models.base_model import BaseModel, resolve
from ondevice.models.chat_template import ChatTemplate

DEFAULT_NAME = "default"


def usable(name_or_path: str, home: Home) -> BaseModel:
    """Return the base model called `name_or_path` after all looks that need no loading of it.

    Raises:
        BaseModelError: it is not there, damaged, or its chat template is not to be trusted.
    """
    base = resolve(name_or_path, home)
    ChatTemplate.from_header(base.header)
    return base


def chosen(name: str, home: Home, stand_in: Callable[[str], None] | None = None) -> BaseModel:
    """Return the base model that the setting `model.name` names.

    Args:
        name: the setting.
        home: where models are.
        stand_in: told why the default model is returned instead; without it that is an error.

    Raises:
        BaseModelError: the model cannot be used; the message has the way out.
    """
    try:
        return usable(name, home)
    except BaseModelError as error:
        if name == DEFAULT_NAME:
            raise
        why = f"The base model of the settings cannot be used: {str(error).rstrip('.')}"
        if stand_in is None:
            way_out = f"`ondevice config set model.name {DEFAULT_NAME}` goes back to the default"
            raise type(error)(f"{why}; {way_out}.") from error
        base = usable(DEFAULT_NAME, home)
        stand_in(f"{why}; {base.name} answers instead until model.name is changed in the settings.")
        return base
