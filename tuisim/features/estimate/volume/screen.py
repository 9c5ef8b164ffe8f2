"""The hours-or-days screen: how long a network would train at any volume and number of epochs, and the ladder of known ones.

It turns the dials and passes scenes on; it draws nothing and reckons nothing. What a step costs is asked of `price`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import ClassVar

from textual import on
from textual.binding import Binding, BindingType

from tuisim import data
from tuisim.config import RunConfig
from tuisim.errors import TuisimError
from tuisim.features.estimate.volume.operations_view import OperationsBehindView
from tuisim.features.estimate.volume.view import PictureView, ProjectHeader, Scene, SceneView
from tuisim.predict.predictor import Rate, missing
from tuisim.predict.project import ASSUMED_EPOCHS, EPOCHS, VOLUMES, Price, climb, project
from tuisim.provenance import words
from tuisim.tui.panel import Panel, ViewCanvas
from tuisim.tui.panels import PanelScreen

LOOK_SECONDS = 0.25
"""Between two looks for news."""
_WIDTHS = [(0, "-narrow"), (100, "-normal")]
_HEIGHTS = [(0, "-low"), (32, "-tall")]
_ROW, _VOLUME, _EPOCHS = (Binding.Group(name, compact=True) for name in ("row", "examples", "epochs"))


@dataclass(slots=True)
class Dial:
    """Numbers to step through; none is whatever is somebody's own."""

    steps: tuple[int | None, ...]
    at: int = 0

    @property
    def value(self) -> int | None:
        return self.steps[self.at]

    def turn(self, by: int) -> None:
        """As far as it goes."""
        self.at = min(max(self.at + by, 0), len(self.steps) - 1)


def dial(own: int, steps: tuple[int, ...]) -> Dial:
    """All steps with one's own number among them, which it begins at."""
    found = tuple(sorted({*steps, own}))
    return Dial(found, found.index(own))


class ProjectScreen(PanelScreen):
    """One network and the ladder. `price` must answer in milliseconds; what it or `rate` cannot know, they say as TuisimError.

    `missing` says why there is no price at all; `news` is another thing once they may answer otherwise.
    """

    TITLE = "hours or days"
    RECKONS = True
    HELP = (
        "How long this network would train at any volume of data and number of epochs, on each backend that has been measured: "
        "from low to high with the likely time between. The ladder has known networks, published, at the best rate shown here."
    )
    HORIZONTAL_BREAKPOINTS = _WIDTHS
    VERTICAL_BREAKPOINTS = _HEIGHTS
    CSS = """
    ProjectScreen { layout: grid; grid-size: 1 4; grid-rows: 1 1fr 8 1; }
    #project-header { background: $panel; }
    ProjectScreen KeyLine { dock: none; }
    ProjectScreen.-narrow Panel { padding: 0; }
    ProjectScreen.-ladder.-tall { grid-rows: 1 1fr 14 1; }
    ProjectScreen.-zoomed { grid-size: 1 3; grid-rows: 1 1fr 1; }
    ProjectScreen.-zoomed Panel { display: none; }
    ProjectScreen.-zoomed Panel.-zoomed { display: block; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("l", "ladder", "ladder", id="project.ladder", tooltip="The ladder of known networks, or this network"),
        *(
            Binding(key, f"turn({name!r}, {by})", f"{name} {what}", id=f"project.{name}_{what}", key_display=shown, group=group,
                    priority=key in ("left", "right"), tooltip=f"{what.capitalize()} {name}")
            for key, shown, name, by, what, group in (
                ("left", "←", "examples", -1, "fewer", _VOLUME), ("right", "→", "examples", 1, "more", _VOLUME),
                ("left_square_bracket", "[", "epochs", -1, "fewer", _EPOCHS),
                ("right_square_bracket", "]", "epochs", 1, "more", _EPOCHS),
            )
        ),
        *(
            Binding(key, f"row({by})", f"row {key}", id=f"project.{key}", key_display=shown, group=_ROW, priority=True,
                    tooltip=f"The row {'above' if by < 0 else 'below'}")
            for key, shown, by in (("up", "↑", -1), ("down", "↓", 1))
        ),
        *(
            Binding(str(n), f"zoom({n})", f"zoom {what}", id=f"project.zoom_{n}", tooltip=f"Only the {what}, or all")
            for n, what in enumerate(("times", "operations"), 1)
        ),
        Binding("escape,b", "back", "back", id="project.back", key_display="esc", tooltip="Out of the zoom, or back"),
    ]  # fmt: skip

    def __init__(
        self,
        config: RunConfig,
        price: Price,
        rate: Callable[[], Rate | None],
        missing: Callable[[], str] = missing,
        news: Callable[[], object] = lambda: None,
    ) -> None:
        super().__init__()
        self._config, self._missing, self._news = config, missing, news
        self._asked = price, rate
        self._known: object = None
        self._forget()
        volumes = tuple(volume.examples for volume in VOLUMES)
        self._dials = {
            False: {
                "examples": dial(data.rows(config) or volumes[0], volumes),
                "epochs": dial(config.epochs or ASSUMED_EPOCHS, EPOCHS),
            },
            True: {"examples": Dial((None, *volumes)), "epochs": Dial((None, *EPOCHS))},
        }
        self._chosen = {False: 0, True: 0}
        self.on_ladder = False
        self._header = ProjectHeader(config)
        self._line = ViewCanvas(self._header, id="project-header")
        self._views = (PictureView(), OperationsBehindView())
        self._panels = (
            Panel(1, "hours or days", self._views[0], id="project-times", numbers=True, turn=None),
            Panel(2, "the operations behind", self._views[1], id="project-operations", numbers=True, turn=None),
        )
        self.scene = Scene()

    def _forget(self) -> None:
        """Ask anew; turning a dial asks for the same batch again and again."""
        self._known = self._news()
        price, rate = self._asked
        self._price, self._rate = cache(price), cache(rate)

    def on_mount(self) -> None:
        self._show()
        self.every(LOOK_SECONDS, self._look_again)

    def _look_again(self) -> None:
        if self._news() != self._known:
            self._forget()
            self._show()

    def _look(self) -> Scene:
        dials, chosen = self._dials[self.on_ladder], self._chosen[self.on_ladder]
        examples, epochs = dials["examples"].value, dials["epochs"].value
        try:
            if self.on_ladder:
                return Scene(climb=climb(self._rate(), examples, epochs), chosen=chosen)
            found = project(self._config, self._price, examples, epochs)
            return Scene(found, chosen=chosen, missing="" if found.rows else self._missing())
        except TuisimError as error:
            return Scene(failure=str(error))

    def _show(self) -> None:
        self.scene = self._look()
        readers: tuple[SceneView, ...] = (self._header, *self._views)
        for reader in readers:
            reader.scene = self.scene
        self._line.draw()
        for panel, view in zip(self._panels, self._views, strict=True):
            panel.border_subtitle = words(view.kinds)
            if panel.display:
                panel.canvas.draw()

    @on(Panel.RowClicked)
    def _clicked(self, message: Panel.RowClicked) -> None:
        self._chosen[self.on_ladder] = message.row
        self._show()

    def action_ladder(self) -> None:
        self.on_ladder = not self.on_ladder
        self.set_class(self.on_ladder, "-ladder")
        self._show()

    def action_turn(self, name: str, by: int) -> None:
        self._dials[self.on_ladder][name].turn(by)
        self._show()

    def action_row(self, by: int) -> None:
        """The next row; where the operations have the screen it scrolls."""
        if self._panels[1].canvas.zoomed and self._panels[1].canvas.scrolls:
            self._panels[1].scroll_relative(y=by, animate=False)
            return
        self._chosen[self.on_ladder] = min(max(self.scene.chosen + by, 0), max(self.scene.rows - 1, 0))
        self._show()
