"""Where things live on disk."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from ondevice.ground.files import expanded


@dataclass(frozen=True)
class Home:
    """The folders that ondevice uses; nothing is written outside them.

    `data` holds the encrypted profiles, `config` settings and (where there is
    neither a keyring nor a passphrase) key files, `cache` what can be rebuilt.
    """

    data: Path
    config: Path
    cache: Path

    @classmethod
    def default(cls) -> Home:
        """Return the platform's user folders, or those below `ONDEVICE_HOME` if that is set."""
        root = os.environ.get("ONDEVICE_HOME")
        if root:
            return cls.below(expanded(Path(root)).absolute())
        import platformdirs  # here, so that ONDEVICE_HOME needs no look-up

        dirs = platformdirs.PlatformDirs("ondevice", appauthor=False)
        return cls(dirs.user_data_path, dirs.user_config_path, dirs.user_cache_path)

    @classmethod
    def below(cls, root: Path) -> Home:
        """Return a home whose three folders lie below `root`."""
        return cls(root / "data", root / "config", root / "cache")

    @property
    def profiles(self) -> Path:
        """The folder with one folder per profile."""
        return self.data / "profiles"

    @property
    def models(self) -> Path:
        """The folder of downloaded base models."""
        return self.cache / "models"

    def profile(self, name: str) -> Path:
        """Return the folder of the profile called `name`."""
        return self.profiles / name
