"""A card as a document for programs: the card itself, and what kind of number each of its values is.

It does not know where the card is kept.
"""

from __future__ import annotations

from typing import Any

from tuisim.predict.profile import MachineProfile
from tuisim.provenance import Provenance


def card_document(card: MachineProfile) -> dict[str, Any]:
    """What `tuisim calibrate --json` prints."""
    body = card.to_dict()
    entries = [{"key": key, **entry} for key, entry in body["entries"].items()]
    return {
        "machine": body["machine"],
        "entries": entries,
        "marks": {
            "machine": Provenance.COUNTED,
            "entries[]": Provenance.MEASURED,
            "entries[].threads": Provenance.GIVEN,
            "entries[].networks": Provenance.COUNTED,
            "entries[].evaluation": Provenance.PROJECTED,
            "entries[].prices": Provenance.PROJECTED,
        },
    }
