"""Make a folder read-only, also for root, who normally ignores permissions.

On Linux, root ignores permissions through the capability CAP_DAC_OVERRIDE. The calling thread drops
it while the block runs; threads that it starts do not have it either. On other systems, such tests
are skipped for root.
"""

import ctypes
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

_CAPABILITY_VERSION_3 = 0x20080522
_CAP_DAC_OVERRIDE = 1 << 1


class _Header(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


class _Sets(ctypes.Structure):
    _fields_ = tuple((name, ctypes.c_uint32) for name in ("effective", "permitted", "inheritable"))


@contextmanager
def unwritable(folder: Path) -> Iterator[None]:
    """Inside the block, the folder and everything below it are read-only."""
    modes = {path: path.stat().st_mode for path in (folder, *folder.rglob("*"))}
    for path in modes:
        path.chmod(0o555 if path.is_dir() else 0o444)
    try:
        with _without_override():
            with pytest.raises(PermissionError):
                (folder / "probe").touch()
            yield
    finally:
        for path, mode in modes.items():
            path.chmod(mode)


@contextmanager
def _without_override() -> Iterator[None]:
    if os.geteuid() != 0:
        yield
        return
    if sys.platform != "linux":
        pytest.skip("root can write everywhere on this system; run the tests as another user")
    libc = ctypes.CDLL(None, use_errno=True)
    header, sets = _Header(_CAPABILITY_VERSION_3, 0), (_Sets * 2)()
    assert libc.capget(ctypes.byref(header), sets) == 0
    original = sets[0].effective
    sets[0].effective = original & ~_CAP_DAC_OVERRIDE
    assert libc.capset(ctypes.byref(header), sets) == 0
    try:
        yield
    finally:
        sets[0].effective = original
        assert libc.capset(ctypes.byref(header), sets) == 0
