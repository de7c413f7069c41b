"""The run folder: the paths of a run's files, and a lock that only one runner can hold."""

import json
import os
import platform
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path

from filelock import FileLock, Timeout

from lab.errors import BusyError, RunFolderError, StillError
from lab.files import (
    TEMP_SUFFIX,
    as_path,
    atomic_write,
    check_writable,
    file_name,
    file_suffix,
    make_writable_folder,
    remove_temp_files,
    sha256_file,
    target_outside,
    write_json,
)
from lab.measures import ClipFile, Measure, MeasureState, MeasureStore, StoredMeasure
from lab.runs.ledger import Ledger, TakeRow
from lab.stills import Still
from lab.takes import Take
from lab.units import bytes_text


class RunFolder:
    """The layout of one run.

    ledger.sqlite: the ledger. stills/: copies of the input stills, so that the folder can be moved.
    created/: the chosen stills of a run that makes stills from text. clips/<take_id>.mp4 and
    measures/<take_id>.json: the clips and their measurements. proxies/ and heatmaps/: videos for
    display. Tables and reports are in the folder itself.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = as_path(path, RunFolderError)
        self.ledger = self.path / "ledger.sqlite"
        self.stills = self.path / "stills"
        self.created = self.path / "created"
        self.clips = self.path / "clips"
        self.measures = MeasureStore(self.path / "measures")
        self.proxies = self.path / "proxies"
        self.heatmaps = self.path / "heatmaps"
        self._owner = self.path / "run.owner.json"
        self._folders = (
            *(self.path, self.stills, self.clips),
            *(self.measures.folder, self.proxies),
        )
        self._own_names = {"run.lock", self._owner.name, *(folder.name for folder in self._folders)}

    @property
    def exists(self) -> bool:
        """True when the folder has a ledger."""
        return os.path.isfile(self.ledger)

    def check(self) -> None:
        """Raise RunFolderError if the folder holds no run or cannot be read.

        Raises it too if the ledger lies outside the folder.
        """
        try:
            self.ledger.stat()
        except (FileNotFoundError, NotADirectoryError):
            pass
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            raise RunFolderError(f"{self.path}: cannot be read ({reason})") from error
        if not self.exists:
            raise RunFolderError(
                f"{self.path}: holds no run; make one with `lab run SWEEP.yaml --out {self.path}`"
            )
        for suffix in ("", "-wal", "-shm"):
            self._refuse_outside(self.ledger.with_name(f"{self.ledger.name}{suffix}"))

    def make(self) -> None:
        """Create the folder and its subfolders.

        Raises RunFolderError for a folder that holds other files and no run.
        """
        if os.path.isdir(self.path) and not self.exists:
            others = [name for name in os.listdir(self.path) if not self._is_own(name)]
            if others:
                raise RunFolderError(
                    f"{self.path}: holds {others[0]!r} and no run; name an empty or new folder"
                )
        for folder in self._folders:
            self._refuse_outside(folder)
            make_writable_folder(folder)

    def _is_own(self, name: str) -> bool:
        """True for a file that another runner may create before it creates the ledger."""
        return name in self._own_names or name.startswith(self.ledger.name) or TEMP_SUFFIX in name

    def outside_error(self, path: Path) -> str:
        """Why a path of this folder must not be followed; "" when it stays in the folder."""
        target = target_outside(path, self.path)
        if not target:
            return ""
        name = os.path.relpath(path, self.path)
        return f"{name} leads out of the run folder, to {target}, and is not followed"

    def _refuse_outside(self, path: Path) -> None:
        if error := self.outside_error(path):
            raise RunFolderError(f"{self.path}: {error}; put the file or folder itself there")

    def clip_path(self, take_id: str) -> Path:
        """The path of a take's clip, whether it exists or not."""
        return self.clips / f"{take_id}.mp4"

    def picture_path(self, take_id: str) -> Path:
        """The path of the still that a take makes from text."""
        return self.clips / f"{take_id}.png"

    def result_path(self, take: Take) -> Path:
        """The path of what a take makes: a clip or a still."""
        if take.shot.makes == "still":
            return self.picture_path(take.id)
        return self.clip_path(take.id)

    def stored_measure(self, row: TakeRow) -> StoredMeasure:
        """The stored measurements of a take's clip, and the reason where there are none."""
        if row.take.shot.makes == "still":
            return StoredMeasure(MeasureState.MISSING, reason="a still has no scores")
        if row.clip is None:
            reason = f"no clip: {row.message}" if row.message else "no clip yet"
            return StoredMeasure(MeasureState.MISSING, reason=reason)
        return self.measures.read(row.take_id, self._clip_file(row))

    def measure_stamp(self, row: TakeRow) -> object:
        """A cache key that changes when the result of `stored_measure` may have changed."""
        return row.clip and self.measures.stamp(row.take_id, self._clip_file(row))

    def save_measure(self, row: TakeRow, newer: Measure) -> Measure:
        """Merge new measurements of a take's clip into the stored ones; return the merged record.

        Raises ClipError when they are of another clip, and RunFolderError on a full disk.
        """
        older = self.stored_measure(row).measure
        merged = newer if older is None else older.updated(newer)
        self.measures.write(row.take_id, merged, self._clip_file(row))
        return merged

    def _clip_file(self, row: TakeRow) -> ClipFile:
        assert row.clip is not None
        return ClipFile(self.clip_path(row.take_id), row.clip["sha256"], row.clip["bytes"])

    def copy_still(self, still: Still) -> Still:
        """Copy a still into the folder. The returned still has a path relative to the folder."""
        ending = f"-{still.sha256[:8]}{file_suffix(still.path)}"
        copy = self.stills / file_name(still.name, ending)
        if self.outside_error(copy) or not copy.is_file() or sha256_file(copy) != still.sha256:
            with atomic_write(copy) as part:
                _copy_still(still, part)
        return still.at(copy.relative_to(self.path))

    def locate(self, still: Still) -> Still:
        """A still of the ledger with an absolute path.

        Raises RunFolderError for a path that leads out of the folder.
        """
        self._refuse_outside(self.path / still.path)
        return still.at((self.path / still.path).resolve())

    def still_error(self, still: Path | str, sha256: str) -> str:
        """Why a still of the ledger cannot be used, in one line; "" when its file is unchanged.

        still: its path relative to the folder.
        """
        path = self.path / still
        if outside := self.outside_error(path):
            return f"still {outside}"
        try:
            if sha256_file(path) == sha256:
                return ""
            reason = "has changed since the run began"
        except FileNotFoundError:
            reason = "is missing"
        except OSError as error:
            reason = f"cannot be read ({error.strerror})"
        return (
            f"still {still} {reason}; put the picture back (SHA-256 {sha256[:12]}...), or run the "
            "sweep again to copy it anew"
        )

    def check_space(self, needed_bytes: int) -> None:
        """Raise RunFolderError when the disk has less free space than needed."""
        free_bytes = shutil.disk_usage(self.path).free
        if free_bytes < needed_bytes:
            raise RunFolderError(
                f"{self.path}: about {bytes_text(needed_bytes)} are needed and "
                f"{bytes_text(free_bytes)} are free; free space or name another folder"
            )

    @property
    def active_runner(self) -> str:
        """The process that holds the lock, as text; "" when there is none."""
        if not self._owner.is_file():
            return ""
        lock = FileLock(self.path / "run.lock", timeout=0)
        try:
            lock.acquire()
        except (Timeout, OSError):
            # OSError: in a read-only folder the lock cannot be tested, so trust the owner file.
            return _owner_text(self._owner)
        lock.release()
        return ""

    @contextmanager
    def lock(self, *, check: bool = True) -> Iterator[None]:
        """Hold the folder as its only runner, and delete temporary files of a killed runner.

        check: check the whole ledger if the last runner was killed. Raises BusyError, which names
        the runner that holds the folder, and RunFolderError for a damaged ledger, a read-only
        folder, and a subfolder that links to a path outside.
        """
        try:
            check_writable(self.path)
        except OSError as error:
            raise RunFolderError(
                f"{self.path}: cannot be written ({error.strerror}); copy the run to a "
                "writable folder and continue there"
            ) from error
        for folder in (*self._folders, self.heatmaps):
            self._refuse_outside(folder)
        lock = FileLock(self.path / "run.lock", timeout=0)
        try:
            lock.acquire()
        except Timeout:
            raise BusyError(
                f"{self.path}: {_owner_text(self._owner)} is running here; wait"
            ) from None
        try:
            if check and self.exists and self._owner.is_file():
                # Only a killed runner leaves the owner file behind. It stays when the check fails,
                # so that the next runner checks too.
                with Ledger.read(self.ledger) as ledger:
                    ledger.check()
            since = datetime.now().astimezone().isoformat(timespec="seconds")
            for folder in self._folders:
                if folder != self.proxies:  # readers write proxies without the lock
                    remove_temp_files(folder)
            write_json(self._owner, {"pid": os.getpid(), "host": platform.node(), "since": since})
            try:
                yield
            finally:
                self._owner.unlink(missing_ok=True)
        finally:
            lock.release()


def _copy_still(still: Still, target: Path) -> None:
    """Copy a still's file. Raises StillError when it changed since the plan was made."""
    try:
        shutil.copyfile(still.path, target)
    except OSError as error:
        raise StillError(f"{still.path}: cannot be read ({error.strerror})") from error
    if sha256_file(target) != still.sha256:
        raise StillError(f"{still.path}: was changed after planning; plan again")


def _owner_text(path: Path) -> str:
    with suppress(OSError, ValueError, KeyError):
        owner = json.loads(path.read_text(encoding="utf-8"))
        return f"process {owner['pid']} on {owner['host']} (since {owner['since']})"
    return "another process"
