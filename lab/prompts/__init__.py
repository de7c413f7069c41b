"""What a prompt says about motion: the vocabulary, prompts built from it, and remarks on them."""

from lab.prompts.actions import Action
from lab.prompts.lint import LINTED, lint, rewritten
from lab.prompts.prompt import Prompt, Segment
from lab.prompts.reading import Match, Reading, read, recognise
from lab.prompts.reviewing import Review, review
from lab.prompts.variants import VARIED, vary
from lab.prompts.vocabulary import KINDS, Signature, Term, find_term, vocabulary

__all__ = [
    "KINDS",
    "LINTED",
    "VARIED",
    "Action",
    "Match",
    "Prompt",
    "Reading",
    "Review",
    "Segment",
    "Signature",
    "Term",
    "find_term",
    "lint",
    "read",
    "recognise",
    "review",
    "rewritten",
    "vary",
    "vocabulary",
]
