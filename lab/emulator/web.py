"""The ASGI applications of the API host and the media host, with scripted faults."""

import asyncio
import json
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from email.utils import formatdate
from typing import Any

from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from lab.emulator import elements, legacy, modern
from lab.emulator.connection import drop_connection
from lab.emulator.emulator import Emulator
from lab.emulator.faults import Fault
from lab.emulator.guard import rejection_reason
from lab.emulator.media import FileUnavailable, MediaFiles
from lab.emulator.replies import ApiError, Reply, error_reply
from lab.emulator.routing import ApiRequest, Route
from lab.errors import InputError

ROUTES: tuple[Route, ...] = (*modern.ROUTES, *legacy.ROUTES, *elements.ROUTES)

_MAX_BODY_BYTES = 256_000_000
_GATEWAY_PAGE = (
    "<html><head><title>502 Bad Gateway</title></head>"
    "<body><center><h1>502 Bad Gateway</h1></center></body></html>"
)

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]
_Pattern = re.Pattern[str]


class ConnectionDropped(Exception):  # noqa: N818 - a requested fault, not an error
    """A fault closes the connection without sending another byte."""


@dataclass(frozen=True)
class StopSignal:
    """Tells waiting requests that the server stops."""

    event: asyncio.Event

    async def wait(self, seconds: float) -> None:
        """Wait for that time, or until the server stops."""
        try:
            await asyncio.wait_for(self.event.wait(), seconds)
        except TimeoutError:
            return


def _pattern(path: str) -> _Pattern:
    return re.compile(re.sub(r"\\\{(\w+)\\\}", r"(?P<\1>[^/]+)", re.escape(path)) + r"\Z")


_PATTERNS = [(route, _pattern(route.path)) for route in ROUTES]


class ApiApp:
    """The ASGI application of the API host and of the emulator's controls."""

    def __init__(self, emulator: Emulator, stop_signal: StopSignal) -> None:
        self._emulator = emulator
        self._stop_signal = stop_signal

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        request = Request(scope, receive)
        path: str = scope["path"]
        is_control = path.startswith("/emulator/")
        if reason := rejection_reason(request.headers, is_control=is_control):
            await _json({"error": reason}, 403)(scope, receive, send)
            return
        if is_control:
            response = await self._control(request, path)
            await response(scope, receive, send)
            return
        template, outcome = "unknown", "dropped"
        try:
            route, parameters = _match_route(request.method, path)
            template = route.path if route else template
            response = await self._respond(request, route, parameters)
            outcome = str(response.status_code)
        except (ConnectionDropped, ClientDisconnect):
            await drop_connection(scope)
            return
        finally:
            # Count before sending: a client that has the reply must find it counted.
            self._emulator.count_request(request.method, template, outcome)
        await response(scope, receive, send)

    async def _respond(
        self, request: Request, route: Route | None, parameters: dict[str, str]
    ) -> Response:
        kind = route.kind if route else ""
        faults, path = self._emulator.faults, request.url.path
        fault, skew_s = faults.select(kind, request.method, path)
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
        if fault and not fault.creates_task:
            replacement = _fault_response(fault)
            if replacement:
                return replacement
        now_s = emulator.clock()
        header = request.headers.get("authorization")

        def handle() -> Reply:
            try:
                emulator.account.authenticate(
                    header,
                    now_s=now_s + skew_s,
                    accepts_tokens=route is None
                    or route.accepts_tokens
                    or emulator.assumptions.tokens_on_new_paths,
                    region=emulator.region,
                )
                if route is None:
                    raise _no_route(request.method, request.url.path)
                if content is None:
                    raise ApiError(1200, "The request body is too large")
                api_request = ApiRequest(
                    now_s=now_s,
                    parameters=parameters,
                    query=dict(request.query_params),
                    content=content,
                    status_override=fault.word if fault and fault.kind == "unknown_status" else "",
                    hide_tasks=fault is not None and fault.kind == "lost_tasks",
                    stuck=fault is not None and fault.kind == "stuck",
                )
                return route.handler(emulator.store, api_request)
            except ApiError as error:
                return error_reply(error)

        # A create request decodes and writes images, which would block the event loop.
        reply = await asyncio.to_thread(handle) if kind == "create" else handle()
        if fault:
            replacement = await self._apply_fault(fault, reply)
            if replacement:
                return replacement
        return _json(reply.body, reply.status)

    async def _apply_fault(self, fault: Fault, reply: Reply) -> Response | None:
        """Apply a fault to a finished reply.

        Return the response that replaces the reply; None means that the reply itself is sent.
        """
        if fault.kind == "accept_then_drop":
            raise ConnectionDropped
        if fault.kind == "slow":
            await self._stop_signal.wait(fault.seconds)
        if fault.kind == "bad_json":
            text = json.dumps(reply.body)
            truncated = text[: len(text) // 2]
            return Response(truncated, reply.status, media_type="application/json")
        return _fault_response(fault)

    async def _control(self, request: Request, path: str) -> Response:
        emulator = self._emulator
        target = (request.method, path)
        if target == ("GET", "/emulator/state"):
            return _json(emulator.state())
        if target == ("GET", "/emulator/faults"):
            return _json(emulator.faults.to_json())
        if target == ("DELETE", "/emulator/faults"):
            emulator.clear_faults()
            return _json([])
        if target == ("POST", "/emulator/faults"):
            try:
                rows = json.loads(await _body(request) or b"null")
                rows = rows if isinstance(rows, list) else [rows]
                faults = [Fault.from_mapping(row) for row in rows]
            except (InputError, ValueError, RecursionError) as error:
                return _json({"error": str(error)}, 422)
            for fault in faults:
                emulator.add_fault(fault)
            return _json(emulator.faults.to_json())
        return _json({"error": f"{request.method} {path}: no such control"}, 404)


class MediaApp:
    """The ASGI application of the media host, which is a separate origin and needs no key."""

    def __init__(self, emulator: Emulator, stop_signal: StopSignal) -> None:
        self._emulator = emulator
        self._stop_signal = stop_signal
        self._media = MediaFiles(emulator, stop_signal.event.is_set)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        request = Request(scope, receive)
        if reason := rejection_reason(request.headers, is_control=False):
            await Response(reason, 403)(scope, receive, send)
            return
        emulator = self._emulator
        emulator.count_download()
        outcome = "dropped"
        try:
            response = await self._respond(request)
            outcome = str(response.status_code)
        except ConnectionDropped:
            await drop_connection(scope)
            return
        finally:
            emulator.count_request(request.method, "media", outcome)
        await response(scope, receive, send)

    async def _respond(self, request: Request) -> Response:
        emulator = self._emulator
        if request.method not in ("GET", "HEAD"):
            return Response(status_code=405)
        fault, _ = emulator.faults.select("download", request.method, request.url.path)
        if fault:
            replacement = _fault_response(fault)
            if replacement:
                return replacement
            if fault.kind == "slow":
                await self._stop_signal.wait(fault.seconds)
        if "authorization" in request.headers and not (
            emulator.assumptions.media_ignores_authorization
        ):
            return Response("this host accepts no Authorization header", 400)
        try:
            response = await self._media.response(
                request.url.path,
                request.query_params.get("expires", ""),
                request.query_params.get("signature", ""),
                expired=fault is not None and fault.kind == "expired_link",
            )
        except FileUnavailable as error:
            return Response(str(error), error.status)
        return self._media.apply_fault(response, fault) if fault else response


def _json(value: Any, status: int = 200) -> Response:
    # json.dumps escapes to ASCII: a prompt may contain a lone surrogate, which UTF-8 cannot encode.
    return Response(json.dumps(value), status, media_type="application/json")


def _fault_response(fault: Fault) -> Response | None:
    """The reply that the fault sends instead of the real one; None for other faults.

    Raises ConnectionDropped if the fault sends no reply at all.
    """
    codes = {
        "rate_limited": 1302,
        "no_slot": 1303,
        "server_error": fault.code,
        "api_error": fault.code,
    }
    if fault.kind in codes:
        reply = error_reply(ApiError(codes[fault.kind]))
        return _json(reply.body, reply.status)
    if fault.kind == "duplicate_external_id":
        reply = error_reply(ApiError(1201, "external_task_id already exists"))
        return _json(reply.body, reply.status)
    if fault.kind == "html_502":
        return HTMLResponse(_GATEWAY_PAGE, 502)
    if fault.kind == "wrong_type_download":
        return HTMLResponse("<html><body>not a video</body></html>")
    if fault.kind == "redirect_download":
        return RedirectResponse(fault.to, 302)
    if fault.kind == "drop_before":
        raise ConnectionDropped
    return None


def _match_route(method: str, path: str) -> tuple[Route | None, dict[str, str]]:
    for route, pattern in _PATTERNS:
        match = pattern.match(path)
        if match and route.method == method:
            return route, match.groupdict()
    return None, {}


def _no_route(method: str, path: str) -> ApiError:
    return ApiError(1202 if any(pattern.match(path) for _, pattern in _PATTERNS) else 1203)


async def _body(request: Request) -> bytes | None:
    """Read a request's body; None when it is too large."""
    parts: list[bytes] = []
    total = 0
    async for part in request.stream():
        total += len(part)
        if total <= _MAX_BODY_BYTES:
            parts.append(part)
    return b"".join(parts) if total <= _MAX_BODY_BYTES else None
