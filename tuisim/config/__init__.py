"""The configuration of a run: `RunConfig`, its fields and their checks, presets and TOML files."""

from tuisim.config.run_config import COUNTS, FIELDS, OPTIONAL, REALS, RunConfig, default_threads, usable_cores

__all__ = ["COUNTS", "FIELDS", "OPTIONAL", "REALS", "RunConfig", "default_threads", "usable_cores"]
