"""How much of a text a model can possibly read."""

CHARACTERS_PER_TOKEN = 32
"""Texts are cut at so many characters per token before they are tokenized: far above any language's average, so that
the cut never reaches what the model sees, and a text of megabytes costs no more than a page."""
