"""The base model that the settings name, and what to do when it cannot be used."""

from __future__ import annotations

from collections.abc import Callable

from ondevice.errors import BaseModelError
from ondevice.home import Home
from ondevice.models.base_model import BaseModel, resolve
from ondevice.models.chat_template import ChatTemplate
from ondevice.remedies import Remedy, within

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
        why = within("The base model of the settings cannot be used: ", error.notice)
        if stand_in is None:
            raise type(error)(why.fact, *why.steps, Remedy.DEFAULT_MODEL) from error
        base = usable(DEFAULT_NAME, home)
        meanwhile = f"; {base.name} answers instead until model.name is changed in the settings."
        stand_in(within("", why, meanwhile))
        return base
