"""Every panel of the app has an entry in the glossary."""

from __future__ import annotations

import re
from pathlib import Path

import tuisim
from tuisim.features.manual import glossary_anchor


def test_every_panel_title_has_an_entry():
    sources = [path.read_text(encoding="utf-8") for path in (Path(tuisim.__file__).parent / "features").rglob("*.py")]
    titles = {title for source in sources for title in re.findall(r"(?:Panel|ChartPanel)\(\s*\d,\s*\"([^\"]+)\"", source)}
    assert len(titles) >= 15
    assert [title for title in sorted(titles) if glossary_anchor(title) is None] == []
