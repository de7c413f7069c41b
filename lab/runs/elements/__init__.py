"""Register the elements of a sweep with a service, and list and delete them."""

from lab.runs.elements.elements import (
    delete_element,
    known_elements,
    known_ids,
    list_elements,
    register_element,
)
from lab.runs.elements.registration import ensure_registered
from lab.runs.elements.store import ElementRow, ElementRowState

__all__ = [
    "ElementRow",
    "ElementRowState",
    "delete_element",
    "ensure_registered",
    "known_elements",
    "known_ids",
    "list_elements",
    "register_element",
]
