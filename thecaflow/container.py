"""Makes the environment that a container is given into the one that the command expects.

A container's settings may be secrets, which come as files; its compiled kernels come with the image, where nothing can
be written, while numba wants a folder of its own to write to.
"""

import os
import shutil
from collections.abc import MutableMapping
from contextlib import suppress
from pathlib import Path
from typing import Final

from thecaflow.settings import PREFIX, SettingsError

FILE: Final = "_FILE"
DATABASE_PASSWORD: Final = "PGPASSWORD"  # noqa: S105 - the name of libpq's variable, not a password
COMPILED: Final = "COMPILED_KERNELS"
"""Folder of kernels compiled when the image was built, for any processor of its kind."""


def enter(environ: MutableMapping[str, str] | None = None) -> None:
    """Read secrets from their files and lay out the image's compiled kernels; outside a container both are nothing.

    Raises SettingsError for a secret that is given twice or whose file cannot be read.
    """
    environ = os.environ if environ is None else environ
    read_secret_files(environ)
    lay_out_kernels(environ)


def read_secret_files(environ: MutableMapping[str, str]) -> None:
    """Set ``THECAFLOW_X`` to the text of the file ``THECAFLOW_X_FILE``, and likewise the database's password.

    A variable shows in what an engine tells of a container, and is inherited by every process; a file is not.
    """
    for variable in [name for name in environ if name.endswith(FILE)]:
        name = variable.removesuffix(FILE)
        if not name.startswith(PREFIX) and name != DATABASE_PASSWORD:
            continue
        if name in environ:
            raise SettingsError(f"{name} and {variable} are both set: leave one of them out")
        try:
            environ[name] = Path(environ[variable]).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as unreadable:
            reason = getattr(unreadable, "strerror", None) or "no UTF-8 text"
            raise SettingsError(f"{variable}={environ[variable]}: {reason}") from unreadable
        del environ[variable]


def lay_out_kernels(environ: MutableMapping[str, str]) -> None:
    """Copy the image's compiled kernels into NUMBA_CACHE_DIR, once: 5 MB, where compiling takes half a minute.

    Where that folder cannot be written nothing is copied; only the commands that use kernels miss it.
    """
    compiled, wanted = environ.get(COMPILED), environ.get("NUMBA_CACHE_DIR")
    if not compiled or not wanted or Path(wanted).exists():
        return
    aside = Path(f"{wanted}.{os.getpid()}")
    with suppress(OSError):  # another process of this container was quicker, or nothing can be written there
        shutil.copytree(compiled, aside)
        aside.rename(wanted)
    shutil.rmtree(aside, ignore_errors=True)
