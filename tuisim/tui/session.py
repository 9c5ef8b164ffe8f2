"""What the app keeps for its next start in the user's state folder: the configuration in the form, the theme, the chart style."""

from __future__ import annotations

from tuisim.config import RunConfig
from tuisim.config.values import to_texts
from tuisim.errors import ConfigError
from tuisim.files import display_name
from tuisim.store import document
from tuisim.store.folder import state_folder
from tuisim.terminal.lines import ChartStyle

NAME, KIND, VERSION = "session.json", "session", 1


class Session:
    """The configuration and the theme of the last start of the app."""

    def __init__(self) -> None:
        """Read the file; one that cannot be used is ignored, and `problem` says why."""
        self.config: RunConfig | None = None
        """None if there is none."""
        self.theme = ""
        """Empty if there is none."""
        self.chart_style = ChartStyle.BRAILLE
        self.problem = ""
        self._saved: tuple[RunConfig | None, str, ChartStyle] | None = None
        folder = state_folder()
        self._path = None if folder is None else folder / NAME
        self.is_first = self._path is None or not self._path.exists()
        """True if nothing was kept before."""
        if self._path is None or self.is_first:
            return
        try:
            body = document.read(self._path, KIND, VERSION)
            values, theme = body.get("config"), body.get("theme")
            if not (values is None or isinstance(values, dict)) or not isinstance(theme, str):
                raise document.Unreadable(f"{display_name(self._path)} has no configuration and theme")
            self.chart_style = ChartStyle(body.get("chart_style", ChartStyle.BRAILLE))
            self.config, self.theme = None if values is None else readable_config(values), theme
        except (document.Unreadable, ConfigError, TypeError, ValueError) as error:
            self.problem = str(error).splitlines()[0]

    def save(self, config: RunConfig | None, theme: str, chart_style: ChartStyle = ChartStyle.BRAILLE) -> None:
        """Keep these for the next start; without a configuration the last one stays. Raises document.Unwritable."""
        config = self.config if config is None else config
        if self._path is None or (config, theme, chart_style) == self._saved:
            return
        with document.writing(self._path.parent):
            self._path.parent.mkdir(parents=True, exist_ok=True)
        values = None if config is None else config.to_dict()
        document.write(self._path, KIND, VERSION, {"config": values, "theme": theme, "chart_style": chart_style.value})
        self.config, self.theme, self._saved = config, theme, (config, theme, chart_style)


def readable_config(values: dict[str, object]) -> RunConfig:
    """Return the configuration of these values, as `to_dict` gave them. Raises ConfigError, TypeError, document.Unreadable."""
    config = RunConfig(**values)  # type: ignore[arg-type]
    # A path or a column's name goes onto the screen unchanged: none with control codes comes from a form.
    if not all(text.isprintable() for text in to_texts(config).values()):
        raise document.Unreadable("a text of the configuration cannot be printed")
    return config
