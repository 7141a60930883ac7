"""What the shell can complete: profiles, models, adapters. Never asks, never changes anything."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterable

import click
from click.shell_completion import CompletionItem

from ondevice.errors import OndeviceError


def complete_profiles(
    ctx: click.Context, param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Return the profiles that begin with `incomplete`."""
    from ondevice.home import Home
    from ondevice.store.profiles import list_profiles

    with contextlib.suppress(OSError):
        return _fitting(list_profiles(Home.default()), incomplete)
    return []


def complete_models(
    ctx: click.Context, param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Return the models on this machine; where none fits, the shell completes files."""
    from ondevice.home import Home
    from ondevice.models.base_model import list_models

    with contextlib.suppress(OndeviceError, OSError):
        names = ["default", *(m.name for m in list_models(Home.default()) if m.path is not None)]
        found = _fitting(names, incomplete)
        if found:
            return found
    return [CompletionItem(incomplete, type="file")]


def complete_files(
    ctx: click.Context, param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Let the shell complete files."""
    return [CompletionItem(incomplete, type="file")]


def complete_pullable(
    ctx: click.Context, param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Return the models of the catalogue that can be pulled."""
    from ondevice.models.catalogue import CATALOGUE

    names = [name for name, entry in CATALOGUE.items() if entry.source.startswith("hf:")]
    return _fitting(names, incomplete)


def complete_adapters(
    ctx: click.Context, param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Return the adapters of the profile, if its key can be had without asking anybody.

    A keyring on Linux may open a window to be unlocked, so there only key files are used.
    """
    from ondevice.home import Home
    from ondevice.store.access import keys
    from ondevice.store.profile import Profile
    from ondevice.store.profiles import exists, profile_in_use

    home = Home.default()
    with contextlib.suppress(OndeviceError, OSError):
        name = ctx.params.get("profile") or profile_in_use(home)
        silent = keys.key_file(home, name).is_file() or sys.platform in ("darwin", "win32")
        if silent and exists(home, name):
            with Profile.open(home, name) as profile:
                return _fitting((row.name for row in profile.adapters.all()), incomplete)
    return []


def complete_adapters_or_files(
    ctx: click.Context, param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Return the adapters of the profile; where none fits, the shell completes files."""
    return complete_adapters(ctx, param, incomplete) or complete_files(ctx, param, incomplete)


def _fitting(names: Iterable[str], incomplete: str) -> list[CompletionItem]:
    return [CompletionItem(name) for name in dict.fromkeys(names) if name.startswith(incomplete)]
