"""A folder that cannot be written, for root too, whom permissions do not stop.

Root's right to pass over permissions is a capability of Linux (CAP_DAC_OVERRIDE). The thread that
asks gives it up while the block runs, and the threads that it starts never have it. On other
systems root has no such test.
"""

import ctypes
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

_VERSION_3 = 0x20080522
_PASS_OVER = 1 << 1  # CAP_DAC_OVERRIDE


class _Header(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


class _Sets(ctypes.Structure):
    _fields_ = tuple((name, ctypes.c_uint32) for name in ("effective", "permitted", "inheritable"))


@contextmanager
def unwritable(folder: Path) -> Iterator[None]:
    """Nothing can be written in the folder or below it; everything can be read."""
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
        pytest.skip("root may write everywhere on this system; run the tests as another user")
    system = ctypes.CDLL(None, use_errno=True)
    header, sets = _Header(_VERSION_3, 0), (_Sets * 2)()
    assert system.capget(ctypes.byref(header), sets) == 0
    had = sets[0].effective
    sets[0].effective = had & ~_PASS_OVER
    assert system.capset(ctypes.byref(header), sets) == 0
    try:
        yield
    finally:
        sets[0].effective = had
        assert system.capset(ctypes.byref(header), sets) == 0
