"""A card as a document for programs: the card itself, and what kind of number each of its values is.

It does not know where the card is kept.
"""

from __future__ import annotations

from typing import Any

from tuisim.predict.profile import Card
from tuisim.provenance import Mark


def card_document(card: Card) -> dict[str, Any]:
    """What `tuisim calibrate --json` prints."""
    body = card.to_dict()
    entries = [{"key": key, **entry} for key, entry in body["entries"].items()]
    return {
        "machine": body["machine"],
        "entries": entries,
        "marks": {
            "machine": Mark.COUNTED,
            "entries[]": Mark.MEASURED,
            "entries[].threads": Mark.GIVEN,
            "entries[].networks": Mark.COUNTED,
            "entries[].evaluation": Mark.PROJECTED,
            "entries[].prices": Mark.PROJECTED,
        },
    }
