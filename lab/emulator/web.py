"""Put the service on the wire: requests in, replies out, and trouble where it was asked for."""

import asyncio
import json
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from email.utils import formatdate
from typing import Any

from starlette.requests import ClientDisconnect, Request
from starlette.responses import (
    HTMLResponse,
    RedirectResponse,
    Response,
)

from lab.emulator import elements, legacy, modern
from lab.emulator.calls import Call, Route
from lab.emulator.emulator import Emulator
from lab.emulator.faults import Fault
from lab.emulator.guard import objection
from lab.emulator.media import Media, Missing
from lab.emulator.replies import ApiError, Reply, refused
from lab.emulator.wire import drop
from lab.errors import InputError

ROUTES: tuple[Route, ...] = (*modern.ROUTES, *legacy.ROUTES, *elements.ROUTES)

_MOST_BODY_BYTES = 256_000_000
_GATEWAY_PAGE = (
    "<html><head><title>502 Bad Gateway</title></head>"
    "<body><center><h1>502 Bad Gateway</h1></center></body></html>"
)

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]
_Pattern = re.Pattern[str]


class Dropped(Exception):  # noqa: N818 - what is to happen, not what went wrong
    """The connection is to be closed without another byte."""


@dataclass(frozen=True)
class Stop:
    """Set when the server is to stop, so that nobody sleeps through it."""

    event: asyncio.Event

    async def sleep(self, seconds: float) -> None:
        """Wait that long, or until the server stops."""
        try:
            await asyncio.wait_for(self.event.wait(), seconds)
        except TimeoutError:
            return


def _pattern(path: str) -> _Pattern:
    return re.compile(re.sub(r"\\\{(\w+)\\\}", r"(?P<\1>[^/]+)", re.escape(path)) + r"\Z")


_PATTERNS = [(route, _pattern(route.path)) for route in ROUTES]


class ApiApp:
    """The API host."""

    def __init__(self, emulator: Emulator, stop: Stop) -> None:
        self._emulator = emulator
        self._stop = stop

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        request = Request(scope, receive)
        path: str = scope["path"]
        controls = path.startswith("/emulator/")
        if said := objection(request.headers, controls=controls):
            await _json({"error": said}, 403)(scope, receive, send)
            return
        if controls:
            response = await self._control(request, path)
            await response(scope, receive, send)
            return
        template, outcome = "unknown", "dropped"
        try:
            route, parameters = _routed(request.method, path)
            template = route.path if route else template
            response = await self._answered(request, route, parameters)
            outcome = str(response.status_code)
        except (Dropped, ClientDisconnect):
            await drop(scope)
            return
        finally:
            # Counted before the reply leaves: whoever has the reply can read the count.
            self._emulator.count_request(request.method, template, outcome)
        await response(scope, receive, send)

    async def _answered(
        self, request: Request, route: Route | None, parameters: dict[str, str]
    ) -> Response:
        kind = route.kind if route else ""
        faults, path = self._emulator.faults, request.url.path
        fault, skew_s = faults.striking(kind, request.method, path)
        response = await self._reply(request, route, parameters, fault, skew_s)
        now_s = self._emulator.clock() + skew_s
        response.headers["date"] = formatdate(now_s, usegmt=True)
        return response

    async def _reply(
        self,
        request: Request,
        route: Route | None,
        parameters: dict[str, str],
        fault: Fault | None,
        skew_s: float,
    ) -> Response:
        emulator = self._emulator
        kind = route.kind if route else ""
        content = await _body(request)
        if fault and not fault.makes_the_task:
            early = _instead(fault)
            if early:
                return early
        now_s = emulator.clock()
        header = request.headers.get("authorization")

        def answer() -> Reply:
            try:
                emulator.account.authenticate(
                    header,
                    now_s=now_s + skew_s,
                    tokens=route is None
                    or route.tokens
                    or emulator.assumptions.tokens_on_new_paths,
                    region=emulator.region,
                )
                if route is None:
                    raise _no_route(request.method, request.url.path)
                if content is None:
                    raise ApiError(1200, "The request body is too large")
                call = Call(
                    now_s=now_s,
                    parameters=parameters,
                    query=dict(request.query_params),
                    content=content,
                    word=fault.word if fault and fault.kind == "unknown_status" else "",
                    forget=fault is not None and fault.kind == "lost_tasks",
                    stuck=fault is not None and fault.kind == "stuck",
                )
                return route.answer(emulator.store, call)
            except ApiError as error:
                return refused(error)

        # Pictures may have to be decoded and written: not on the thread that serves everybody.
        reply = await asyncio.to_thread(answer) if kind == "create" else answer()
        if fault:
            late = await self._spoilt(fault, reply)
            if late:
                return late
        return _json(reply.body, reply.status)

    async def _spoilt(self, fault: Fault, reply: Reply) -> Response | None:
        """What is sent in place of a reply that was made."""
        if fault.kind == "accept_then_drop":
            raise Dropped
        if fault.kind == "slow":
            await self._stop.sleep(fault.seconds)
        if fault.kind == "bad_json":
            text = json.dumps(reply.body)
            half = text[: len(text) // 2]
            return Response(half, reply.status, media_type="application/json")
        return _instead(fault)

    async def _control(self, request: Request, path: str) -> Response:
        emulator = self._emulator
        asked = (request.method, path)
        if asked == ("GET", "/emulator/state"):
            return _json(emulator.state())
        if asked == ("GET", "/emulator/faults"):
            return _json(emulator.faults.listed())
        if asked == ("DELETE", "/emulator/faults"):
            emulator.clear_faults()
            return _json([])
        if asked == ("POST", "/emulator/faults"):
            try:
                rows = json.loads(await _body(request) or b"null")
                listed = rows if isinstance(rows, list) else [rows]
                faults = [Fault.from_mapping(row) for row in listed]
            except (InputError, ValueError, RecursionError) as error:
                return _json({"error": str(error)}, 422)
            for fault in faults:
                emulator.add_fault(fault)
            return _json(emulator.faults.listed())
        return _json({"error": f"{request.method} {path}: nothing there"}, 404)


class MediaApp:
    """The media host: another origin, which wants no key."""

    def __init__(self, emulator: Emulator, stop: Stop) -> None:
        self._emulator = emulator
        self._stop = stop
        self._media = Media(emulator, lambda: not stop.event.is_set())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        request = Request(scope, receive)
        if said := objection(request.headers, controls=False):
            await Response(said, 403)(scope, receive, send)
            return
        emulator = self._emulator
        emulator.count_download()
        outcome = "dropped"
        try:
            response = await self._answered(request)
            outcome = str(response.status_code)
        except Dropped:
            await drop(scope)
            return
        finally:
            emulator.count_request(request.method, "media", outcome)
        await response(scope, receive, send)

    async def _answered(self, request: Request) -> Response:
        emulator = self._emulator
        if request.method not in ("GET", "HEAD"):
            return Response(status_code=405)
        fault, _ = emulator.faults.striking("download", request.method, request.url.path)
        if fault:
            early = _instead(fault)
            if early:
                return early
            if fault.kind == "slow":
                await self._stop.sleep(fault.seconds)
        if "authorization" in request.headers and not (
            emulator.assumptions.media_takes_authorization
        ):
            return Response("no Authorization header is wanted here", 400)
        try:
            response = await self._media.response(
                request.url.path,
                request.query_params.get("expires", ""),
                request.query_params.get("signature", ""),
                expired=fault is not None and fault.kind == "expired_link",
            )
        except Missing as error:
            return Response(str(error), error.status)
        return self._media.spoilt(response, fault) if fault else response


def _json(value: Any, status: int = 200) -> Response:
    # ASCII: a prompt may hold half a surrogate pair, which no UTF-8 can say.
    return Response(json.dumps(value), status, media_type="application/json")


def _instead(fault: Fault) -> Response | None:
    """The reply of a fault that has one of its own."""
    codes = {
        "rate_limited": 1302,
        "no_slot": 1303,
        "server_error": fault.code,
        "api_error": fault.code,
    }
    if fault.kind in codes:
        reply = refused(ApiError(codes[fault.kind]))
        return _json(reply.body, reply.status)
    if fault.kind == "duplicate_external_id":
        reply = refused(ApiError(1201, "external_task_id already exists"))
        return _json(reply.body, reply.status)
    if fault.kind == "html_502":
        return HTMLResponse(_GATEWAY_PAGE, 502)
    if fault.kind == "wrong_type_download":
        return HTMLResponse("<html><body>not a video</body></html>")
    if fault.kind == "redirect_download":
        return RedirectResponse(fault.to, 302)
    if fault.kind == "drop_before":
        raise Dropped
    return None


def _routed(method: str, path: str) -> tuple[Route | None, dict[str, str]]:
    for route, pattern in _PATTERNS:
        found = pattern.match(path)
        if found and route.method == method:
            return route, found.groupdict()
    return None, {}


def _no_route(method: str, path: str) -> ApiError:
    return ApiError(1202 if any(pattern.match(path) for _, pattern in _PATTERNS) else 1203)


async def _body(request: Request) -> bytes | None:
    """The request's body; None when it is too large to be taken."""
    parts: list[bytes] = []
    total = 0
    async for part in request.stream():
        total += len(part)
        if total <= _MOST_BODY_BYTES:
            parts.append(part)
    return b"".join(parts) if total <= _MOST_BODY_BYTES else None
