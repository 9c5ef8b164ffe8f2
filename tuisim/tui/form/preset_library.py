"""The presets that the form offers: the built-in ones and, after them, those of the user."""

from __future__ import annotations

from collections.abc import Sequence

from tuisim import data
from tuisim.config import FIELDS, RunConfig
from tuisim.config.presets import Preset
from tuisim.errors import printable
from tuisim.store import presets as store
from tuisim.store.presets import OwnPreset
from tuisim.tui.form.presets import PresetEntry


class PresetLibrary:
    """The built-in presets, and those of the user, which can be saved, deleted and restored."""

    def __init__(self, built_in: Sequence[Preset]) -> None:
        self._built_in = built_in
        self._own: tuple[OwnPreset, ...] = ()
        self._replaced: dict[str, OwnPreset] = {}
        """Those that can be restored, by name."""
        self.read()

    def read(self) -> None:
        """Read the presets of the user again."""
        self._own = store.own_presets()

    @property
    def entries(self) -> tuple[PresetEntry, ...]:
        """The presets as they are offered."""
        built_in = [_entry(preset.name, preset.description, preset.config) for preset in self._built_in]
        own = [
            PresetEntry(one.name, one.problem, None, is_own=True)
            if one.config is None
            else _entry(one.name, _description(one.config), one.config, is_own=True)
            for one in self._own
        ]
        return (*built_in, *own)

    @property
    def own_names(self) -> tuple[str, ...]:
        """The names of the presets of the user."""
        return tuple(one.name for one in self._own)

    @property
    def restorable(self) -> tuple[str, ...]:
        """The names of the presets that were deleted or replaced in this session."""
        return tuple(self._replaced)

    def save(self, name: str, config: RunConfig) -> bool:
        """Save a preset; return True if it replaces one. Raises document.Unwritable."""
        saved = store.save_preset(name, config)
        replaced = name in self.own_names
        if replaced:
            self._replaced[name] = saved
        self.read()
        return replaced

    def delete(self, name: str) -> None:
        """Delete a preset of the user. Raises document.Unwritable."""
        preset = next(one for one in self._own if one.name == name)
        store.delete_preset(preset)
        self._replaced[name] = preset
        self.read()

    def restore(self, name: str) -> None:
        """Restore a preset that was deleted or replaced. Raises document.Unwritable."""
        store.restore_preset(self._replaced[name])
        del self._replaced[name]
        self.read()


def _entry(name: str, words: str, config: RunConfig, is_own: bool = False) -> PresetEntry:
    absent = data.available(config.resolved_dataset)
    return PresetEntry(name, words, config, is_own) if absent is None else PresetEntry(name, f"not here: {absent}", None, is_own)


def _description(config: RunConfig) -> str:
    """Return the network and the data of a preset of the user."""
    return f"{FIELDS['layers'].text(config.layers)}, {config.optimizer}, dataset {printable(config.dataset, 60)}"
