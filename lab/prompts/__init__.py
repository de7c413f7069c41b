"""What a prompt says about motion: the vocabulary, prompts built from it, and remarks on them."""

from lab.prompts.lint import lint
from lab.prompts.prompt import Prompt, Segment
from lab.prompts.vocabulary import KINDS, Term, find_term, recognise, vocabulary

__all__ = ["KINDS", "Prompt", "Segment", "Term", "find_term", "lint", "recognise", "vocabulary"]
