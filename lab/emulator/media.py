"""Serve the files of finished tasks: render each at its first download and cache it."""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, MutableMapping
from pathlib import Path
from typing import Any

from starlette.responses import FileResponse, Response

from lab.emulator.connection import drop_connection, is_disconnected
from lab.emulator.emulator import Emulator
from lab.emulator.faults import Fault
from lab.emulator.rendering import RenderCancelled, render_clip, render_image
from lab.emulator.store import Task, file_names
from lab.errors import LabError

_MAX_CACHED_FILES = 200
_MAX_CONCURRENT_RENDERS = 2
_CHUNK_BYTES = 65_536

Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


class FileUnavailable(Exception):  # noqa: N818 - a reply to the client, not an error here
    """The file does not exist or its link is not valid. status: the HTTP status of the reply."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class MediaFiles:
    """The rendered files of one emulator. Belongs to one event loop.

    is_stopping: returns True once the server stops; renders are then cancelled.
    """

    def __init__(self, emulator: Emulator, is_stopping: Callable[[], bool]) -> None:
        self._emulator = emulator
        self._is_stopping = is_stopping
        self._folder = emulator.folder / "made"
        self._folder.mkdir(exist_ok=True)
        self._rendering: dict[str, asyncio.Task[None]] = {}
        self._cached: OrderedDict[str, None] = OrderedDict()
        self._render_slots = asyncio.Semaphore(_MAX_CONCURRENT_RENDERS)

    async def response(
        self, path: str, expires: str, signature: str, *, expired: bool
    ) -> "CompleteFile":
        """The file for a link. Raises FileUnavailable for a forged or an expired link.

        expired: treat the link as expired.
        """
        emulator = self._emulator
        if not emulator.store.signature_is_valid(path, expires, signature):
            raise FileUnavailable(403, "the signature does not match")
        if expired or emulator.clock() > float(expires):
            raise FileUnavailable(emulator.assumptions.expired_status, "the link has expired")
        file = path.rpartition("/")[2]
        task = emulator.store.get(file.partition("-")[0])
        if task is None or task.state(emulator.clock()) != "succeeded":
            raise FileUnavailable(404, "no such file")
        await self._ensure_rendered(task, file)
        return CompleteFile(self._folder / file)

    def apply_fault(self, response: "CompleteFile", fault: Fault) -> Response:
        """The response with a fault applied."""
        if fault.kind == "cut_download":
            return TruncatedFile(response.file)
        if fault.kind == "oversize_download":
            return PaddedFile(response.file, fault.bytes)
        return response

    async def _ensure_rendered(self, task: Task, file: str) -> None:
        if file in self._cached:
            self._cached.move_to_end(file)
            return
        if file not in self._rendering:
            render = asyncio.create_task(self._render_and_cache(task, file))
            # Retrieve the exception even if every caller was cancelled; asyncio warns otherwise.
            render.add_done_callback(lambda done: done.cancelled() or done.exception())
            self._rendering[file] = render
        # Shielded: if this caller is cancelled, others may still wait for the same file.
        await asyncio.shield(self._rendering[file])

    async def _render_and_cache(self, task: Task, file: str) -> None:
        try:
            async with self._render_slots:
                await asyncio.to_thread(self._render, task, file)
        except LabError as error:
            raise FileUnavailable(500, str(error)) from error
        except RenderCancelled:
            raise FileUnavailable(503, "the server is stopping") from None
        finally:
            del self._rendering[file]
        self._cached[file] = None
        while len(self._cached) > _MAX_CACHED_FILES:
            oldest, _ = self._cached.popitem(last=False)
            (self._folder / oldest).unlink(missing_ok=True)

    def _render(self, task: Task, file: str) -> None:
        images, path = self._emulator.store.images, self._folder / file
        names = file_names(task)
        if task.spec.family == "image":
            index = [name for name, _ in names].index(file)
            render_image(task, index, images, path)
            return
        render_clip(
            task,
            images,
            path,
            watermarked=file == names[0][1],
            short_side_px=self._emulator.short_side_px,
            is_cancelled=self._is_stopping,
        )


class CompleteFile(FileResponse):
    """A complete file, or the requested range of it."""

    def __init__(self, file: Path) -> None:
        super().__init__(file)
        self.file = file


class TruncatedFile(Response):
    """The headers of a complete file, half of its content, then a closed connection."""

    def __init__(self, file: Path) -> None:
        super().__init__(media_type="video/mp4")
        self.file = file

    async def __call__(self, scope: Any, receive: Any, send: Send) -> None:
        """Send half of the file and close the connection."""
        content = self.file.read_bytes()
        length = str(len(content)).encode()
        headers = [(b"content-type", b"video/mp4"), (b"content-length", length)]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        half = content[: len(content) // 2]
        await send({"type": "http.response.body", "body": half, "more_body": True})
        await drop_connection(scope)


class PaddedFile(Response):
    """A file followed by zeros, without a Content-Length header."""

    def __init__(self, file: Path, total_bytes: int) -> None:
        super().__init__(media_type="video/mp4")
        self.file = file
        self.total_bytes = total_bytes

    async def __call__(self, scope: Any, receive: Any, send: Send) -> None:
        """Send the file and the zeros until the client disconnects."""
        headers = [(b"content-type", b"video/mp4")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        content = self.file.read_bytes()
        remaining = self.total_bytes - len(content)
        await send({"type": "http.response.body", "body": content, "more_body": True})
        zeros = bytes(_CHUNK_BYTES)
        while remaining > 0 and not is_disconnected(scope):
            body = zeros[: min(remaining, _CHUNK_BYTES)]
            await send({"type": "http.response.body", "body": body, "more_body": True})
            remaining -= _CHUNK_BYTES
        await send({"type": "http.response.body", "body": b"", "more_body": False})
