"""The configuration of a run: `RunConfig`, its fields, each declared once, presets and TOML files."""

from tuisim.config.field import Field
from tuisim.config.run_config import FIELDS, RunConfig

__all__ = ["FIELDS", "Field", "RunConfig"]
