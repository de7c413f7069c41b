"""Configurable answers to questions that no document and no observation settles."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Assumptions:
    """One answer to each open question. Each default is the likelier or the stricter answer.

    tokens_on_new_paths: the newer protocol accepts signed tokens too.
    number_durations: the legacy protocol accepts a number as duration too.
    retired_models: legacy models still work whose retirement was announced for 2026-09-15.
    expired_status: HTTP status for an expired link, 410 or 403.
    media_ignores_authorization: the media host ignores an Authorization header; if False, it
    refuses the request with 400.
    strict_fields: refuse with 400/1201 a field that no document lists for the model. The service
    itself ignores such fields (seen live), so its replies do not reveal them.
    unknown_elements: a task may use an element id that was never registered here, as if the
    element had been made in the console.
    callbacks_twice: every callback is sent twice.
    callbacks_backwards: callbacks that are due together are sent in reverse order.
    """

    tokens_on_new_paths: bool = False
    number_durations: bool = False
    retired_models: bool = True
    expired_status: int = 410
    media_ignores_authorization: bool = False
    strict_fields: bool = False
    unknown_elements: bool = False
    callbacks_twice: bool = False
    callbacks_backwards: bool = False
