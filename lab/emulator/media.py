"""Hand out the files of finished tasks: made at the first download, kept for the next ones."""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, MutableMapping
from pathlib import Path
from typing import Any

from starlette.responses import FileResponse, Response

from lab.emulator.emulator import Emulator
from lab.emulator.faults import Fault
from lab.emulator.filming import Unwanted, film, paint
from lab.emulator.store import Job, files_of
from lab.emulator.wire import drop, gone
from lab.errors import LabError

_MOST_KEPT = 200
_AT_ONCE = 2
_CHUNK_BYTES = 65_536

Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


class Missing(Exception):  # noqa: N818 - a reply, not a fault of ours
    """There is no such file, or not any more, or not with this link."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class Media:
    """The files of one emulator, until nobody is served any more. Used by one event loop."""

    def __init__(self, emulator: Emulator, serves: Callable[[], bool]) -> None:
        self._emulator = emulator
        self._serves = serves
        self._folder = emulator.folder / "made"
        self._folder.mkdir(exist_ok=True)
        self._making: dict[str, asyncio.Task[None]] = {}
        self._kept: OrderedDict[str, None] = OrderedDict()
        self._at_once = asyncio.Semaphore(_AT_ONCE)

    async def response(
        self, path: str, expires: str, signature: str, *, expired: bool
    ) -> "WholeFile":
        """The file behind a link. Raises Missing for a link that is forged, or has expired."""
        emulator = self._emulator
        if not emulator.store.link_is_ours(path, expires, signature):
            raise Missing(403, "the signature does not match")
        if expired or emulator.clock() > float(expires):
            raise Missing(emulator.assumptions.expired_status, "the link has expired")
        file = path.rpartition("/")[2]
        job = emulator.store.get(file.partition("-")[0])
        if job is None or job.state(emulator.clock()) != "succeeded":
            raise Missing(404, "no such file")
        await self._make(job, file)
        return WholeFile(self._folder / file)

    def spoilt(self, whole: "WholeFile", fault: Fault) -> Response:
        """The file, or what a fault makes of it."""
        if fault.kind == "cut_download":
            return CutFile(whole.file)
        if fault.kind == "oversize_download":
            return PaddedFile(whole.file, fault.bytes)
        return whole

    async def _make(self, job: Job, file: str) -> None:
        if file in self._kept:
            self._kept.move_to_end(file)
            return
        if file not in self._making:
            making = asyncio.create_task(self._made(job, file))
            # Looked at even when every caller has left, or the loop complains that nobody did.
            making.add_done_callback(lambda task: task.cancelled() or task.exception())
            self._making[file] = making
        # Shielded: whoever else waits for the file is not to lose it when one caller leaves.
        await asyncio.shield(self._making[file])

    async def _made(self, job: Job, file: str) -> None:
        try:
            async with self._at_once:
                await asyncio.to_thread(self._draw, job, file)
        except LabError as error:
            raise Missing(500, str(error)) from error
        except Unwanted:
            raise Missing(503, "the server stops") from None
        finally:
            del self._making[file]
        self._kept[file] = None
        while len(self._kept) > _MOST_KEPT:
            oldest, _ = self._kept.popitem(last=False)
            (self._folder / oldest).unlink(missing_ok=True)

    def _draw(self, job: Job, file: str) -> None:
        pictures, path = self._emulator.store.pictures, self._folder / file
        names = files_of(job)
        if job.order.family == "image":
            index = [name for name, _ in names].index(file)
            paint(job, index, pictures, path)
            return
        film(
            job,
            pictures,
            path,
            marked=file == names[0][1],
            short_side_px=self._emulator.short_side_px,
            wanted=self._serves,
        )


class WholeFile(FileResponse):
    """A file, whole or the part that was asked for."""

    def __init__(self, file: Path) -> None:
        super().__init__(file)
        self.file = file


class CutFile(Response):
    """Half of a file under the header of the whole one; the connection closes then."""

    def __init__(self, file: Path) -> None:
        super().__init__(media_type="video/mp4")
        self.file = file

    async def __call__(self, scope: Any, receive: Any, send: Send) -> None:
        """Send it."""
        content = self.file.read_bytes()
        length = str(len(content)).encode()
        headers = [(b"content-type", b"video/mp4"), (b"content-length", length)]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        half = content[: len(content) // 2]
        await send({"type": "http.response.body", "body": half, "more_body": True})
        await drop(scope)


class PaddedFile(Response):
    """A file followed by zeros, of a length that no header tells."""

    def __init__(self, file: Path, total_bytes: int) -> None:
        super().__init__(media_type="video/mp4")
        self.file = file
        self.total_bytes = total_bytes

    async def __call__(self, scope: Any, receive: Any, send: Send) -> None:
        """Send it, for as long as anybody reads."""
        headers = [(b"content-type", b"video/mp4")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        content = self.file.read_bytes()
        left = self.total_bytes - len(content)
        await send({"type": "http.response.body", "body": content, "more_body": True})
        zeros = bytes(_CHUNK_BYTES)
        while left > 0 and not gone(scope):
            body = zeros[: min(left, _CHUNK_BYTES)]
            await send({"type": "http.response.body", "body": body, "more_body": True})
            left -= _CHUNK_BYTES
        await send({"type": "http.response.body", "body": b"", "more_body": False})
