"""Where everything of a run lies, and who may write there."""

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
from lab.runs.ledger import Ledger
from lab.runs.take_row import TakeRow
from lab.stills import Still
from lab.takes import Take
from lab.units import bytes_text


class RunFolder:
    """The layout of one run.

    ledger.sqlite, stills/ (copies, so that the folder can be moved), created/ (stills that the run
    made from text and chose, where it did), clips/<take_id>.mp4,
    measures/<take_id>.json, proxies/, and the tables and reports made from them.
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
        self._own = {"run.lock", "run.owner.json", *(folder.name for folder in self._folders)}

    @property
    def exists(self) -> bool:
        """True when a run was begun here."""
        return os.path.isfile(self.ledger)

    def check(self) -> None:
        """Raise RunFolderError unless a run was begun here, whose ledger lies here."""
        try:
            self.ledger.stat()
        except (FileNotFoundError, NotADirectoryError):
            pass
        except (OSError, ValueError) as error:
            said = getattr(error, "strerror", None) or error
            raise RunFolderError(f"{self.path}: cannot be read ({said})") from error
        if not self.exists:
            raise RunFolderError(
                f"{self.path}: holds no run; make one with `lab run SWEEP.yaml --out {self.path}`"
            )
        for end in ("", "-wal", "-shm"):
            self._refuse_link(self.ledger.with_name(f"{self.ledger.name}{end}"))

    def make(self) -> None:
        """Create the folder and what it holds. Refuses a folder full of something else."""
        if os.path.isdir(self.path) and not self.exists:
            strangers = [name for name in os.listdir(self.path) if not self._is_own(name)]
            if strangers:
                raise RunFolderError(
                    f"{self.path}: holds {strangers[0]!r} and no run; name an empty or new folder"
                )
        for folder in self._folders:
            self._refuse_link(folder)
            make_writable_folder(folder)

    def _is_own(self, name: str) -> bool:
        """True for what may lie here before there is a ledger: another runner may have begun."""
        return name in self._own or name.startswith(self.ledger.name) or TEMP_SUFFIX in name

    def outside_error(self, path: Path) -> str:
        """Why a path of this folder is not followed: it leads out of it; "" where it may be."""
        real = target_outside(path, self.path)
        if not real:
            return ""
        name = os.path.relpath(path, self.path)
        return f"{name} leads out of the run folder, to {real}, and is not followed"

    def _refuse_link(self, path: Path) -> None:
        if why := self.outside_error(path):
            raise RunFolderError(f"{self.path}: {why}; put the file or folder itself there")

    def clip_path(self, take_id: str) -> Path:
        """Where a take's clip lies once it is here."""
        return self.clips / f"{take_id}.mp4"

    def picture_path(self, take_id: str) -> Path:
        """Where a take's still lies, where a still was to be made."""
        return self.clips / f"{take_id}.png"

    def result_path(self, take: Take) -> Path:
        """Where what the take makes lies once it is here."""
        return self.picture_path(take.id) if take.shot.makes == "still" else self.clip_path(take.id)

    def stored_measure(self, row: TakeRow) -> StoredMeasure:
        """What is known of the measurements of a take's clip, and why some are not there."""
        if row.take.shot.makes == "still":
            return StoredMeasure(MeasureState.MISSING, reason="a still has no scores")
        if row.clip is None:
            said = f"no clip: {row.message}" if row.message else "no clip yet"
            return StoredMeasure(MeasureState.MISSING, reason=said)
        return self.measures.read(row.take_id, self._clip_file(row))

    def measure_stamp(self, row: TakeRow) -> object:
        """Changes whenever `stored_measure` may answer otherwise than before."""
        return row.clip and self.measures.stamp(row.take_id, self._clip_file(row))

    def save_measure(self, row: TakeRow, newer: Measure) -> Measure:
        """Write new measurements of a take's clip, with what older ones still hold; returns all.

        Raises ClipError when they are of another clip, and RunFolderError on a full disk.
        """
        older = self.stored_measure(row).measure
        whole = newer if older is None else older.updated(newer)
        self.measures.write(row.take_id, whole, self._clip_file(row))
        return whole

    def _clip_file(self, row: TakeRow) -> ClipFile:
        assert row.clip is not None
        return ClipFile(self.clip_path(row.take_id), row.clip["sha256"], row.clip["bytes"])

    def copy_still(self, still: Still) -> Still:
        """The still as the ledger names it: a copy in this folder, by a path relative to it."""
        ending = f"-{still.sha256[:8]}{file_suffix(still.path)}"
        copy = self.stills / file_name(still.name, ending)
        if self.outside_error(copy) or not copy.is_file() or sha256_file(copy) != still.sha256:
            with atomic_write(copy) as part:
                _copy_still(still, part)
        return still.at(copy.relative_to(self.path))

    def locate(self, still: Still) -> Still:
        """A still from the ledger, its path made absolute again.

        Stills are kept in this folder, so RunFolderError for a path that leads out of it.
        """
        self._refuse_link(self.path / still.path)
        return still.at((self.path / still.path).resolve())

    def still_error(self, still: Path | str, sha256: str) -> str:
        """Why a still of the ledger cannot be used, in one line; "" when its file is as it was.

        still: its path in this folder.
        """
        path = self.path / still
        if why := self.outside_error(path):
            return f"still {why}"
        try:
            if sha256_file(path) == sha256:
                return ""
            why = "is another picture than when the run began"
        except FileNotFoundError:
            why = "is gone"
        except OSError as error:
            why = f"cannot be read ({error.strerror})"
        return (
            f"still {still} {why}; put the picture back (SHA-256 {sha256[:12]}...), or run the "
            "sweep again, which copies it anew"
        )

    def check_space(self, needed: int) -> None:
        """Raise RunFolderError when the disk has less than the bytes needed."""
        free = shutil.disk_usage(self.path).free
        if free < needed:
            raise RunFolderError(
                f"{self.path}: about {bytes_text(needed)} are needed and {bytes_text(free)} are "
                "free; free space or name another folder"
            )

    @property
    def active_runner(self) -> str:
        """Who is running here now, in words; "" when nobody is."""
        if not self._owner.is_file():
            return ""
        lock = FileLock(self.path / "run.lock", timeout=0)
        try:
            lock.acquire()
        except (Timeout, OSError):  # OSError: the folder cannot be written, and the note stays true
            return _owner_text(self._owner)
        lock.release()
        return ""

    @contextmanager
    def lock(self, *, check: bool = True) -> Iterator[None]:
        """Be the one runner of this folder, cleared of what a killed one left half written.

        check: after a runner that was killed the whole ledger is checked first. Raises BusyError
        naming the runner that is already here, and RunFolderError for a damaged ledger and for a
        folder that cannot be written or leads elsewhere.
        """
        try:
            check_writable(self.path)
        except OSError as error:
            raise RunFolderError(
                f"{self.path}: cannot be written ({error.strerror}); copy the run to a folder "
                "that can, and go on there"
            ) from error
        for folder in (*self._folders, self.heatmaps):
            self._refuse_link(folder)
        lock = FileLock(self.path / "run.lock", timeout=0)
        try:
            lock.acquire()
        except Timeout:
            raise BusyError(
                f"{self.path}: {_owner_text(self._owner)} is running here; wait"
            ) from None
        try:
            if check and self.exists and self._owner.is_file():
                # Only a runner that was killed leaves this file. It stays when the check fails, so
                # that the next runner checks too.
                with Ledger.read(self.ledger) as ledger:
                    ledger.check()
            since = datetime.now().astimezone().isoformat(timespec="seconds")
            for folder in self._folders:
                if folder != self.proxies:  # where readers write, who need no lock
                    remove_temp_files(folder)
            write_json(self._owner, {"pid": os.getpid(), "host": platform.node(), "since": since})
            try:
                yield
            finally:
                self._owner.unlink(missing_ok=True)
        finally:
            lock.release()


def _copy_still(still: Still, to: Path) -> None:
    """Raises StillError when it is not the picture any more that was planned with."""
    try:
        shutil.copyfile(still.path, to)
    except OSError as error:
        raise StillError(f"{still.path}: cannot be read ({error.strerror})") from error
    if sha256_file(to) != still.sha256:
        raise StillError(f"{still.path}: was changed after it was planned with; plan again")


def _owner_text(path: Path) -> str:
    with suppress(OSError, ValueError, KeyError):
        owner = json.loads(path.read_text(encoding="utf-8"))
        return f"process {owner['pid']} on {owner['host']} (since {owner['since']})"
    return "another process"
