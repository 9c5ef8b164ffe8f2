"""The profile screen: a step's operations against this machine's roofs, and where the time went from its peak on down.

It lays out, moves the cursor and passes what was found on; it draws nothing and measures nothing. The worker is made by a
factory, so a scripted one serves as well.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar, Protocol

from textual import on
from textual.binding import Binding, BindingType

from tuisim.config import RunConfig
from tuisim.features.profile.roofline import Roofline, roofline
from tuisim.features.profile.roofline_view import RooflineView
from tuisim.features.profile.step_profile import Profile
from tuisim.features.profile.time_breakdown import Spent
from tuisim.features.profile.view import Anatomy, OperationsView, ProfileHeader
from tuisim.features.profile.waterfall import waterfall
from tuisim.features.profile.waterfall_view import WaterfallView
from tuisim.features.profile.worker import ProfileWorker
from tuisim.tui.measuring_page import StudyScreen
from tuisim.tui.panel import Panel, ViewCanvas

_WIDTHS = [(0, "-narrow"), (100, "-normal"), (160, "-wide")]
_OPERATION = Binding.Group("operation", compact=True)


class AnyProfileWorker(Protocol):
    """What the screen needs of whoever takes the step apart."""

    @property
    def profile(self) -> Profile | None: ...
    @property
    def done(self) -> float: ...
    @property
    def failure(self) -> str | None: ...
    @property
    def alive(self) -> bool: ...
    def start(self) -> None: ...
    def stop(self) -> None: ...


class ProfileScreen(StudyScreen[AnyProfileWorker, Anatomy]):
    """One step of `config`. `busy` says whether a training would be disturbed; `hush` pauses it.

    `spent` is what the run of this very network has spent so far; none where there is no such run.
    """

    TITLE = "profile"
    HELP = (
        "One step taken apart: each operation is a letter under this machine's measured roofs, a slope for each level of memory "
        "and the flat top of a matrix product. The solid slope is that of the level that holds the chosen operation's buffers; "
        "how far below it the letter lies is what is lost, and the words say to what. ▲ marks a rate above its roof. The bars go "
        "from the work at peak to what was achieved, of one step or of the run beneath."
    )
    HORIZONTAL_BREAKPOINTS = _WIDTHS
    CSS = """
    ProfileScreen { layout: grid; grid-size: 2 4; grid-rows: 1 1fr 1fr 1; grid-columns: 1fr 1fr; }
    #profile-header { column-span: 2; background: $panel; }
    #profile-roofline { column-span: 2; }
    ProfileScreen Canvas .canvas--good { color: $success; }
    ProfileScreen KeyLine { dock: none; column-span: 2; }
    ProfileScreen.-narrow { grid-rows: 1 11 1fr 1; }
    ProfileScreen.-narrow Panel { padding: 0; }
    ProfileScreen.-wide { grid-columns: 5fr 4fr; }
    ProfileScreen.-wide #profile-roofline { column-span: 1; row-span: 2; }
    ProfileScreen.-zoomed { grid-size: 1 3; grid-rows: 1 1fr 1; grid-columns: 1fr; }
    ProfileScreen.-zoomed #profile-header, ProfileScreen.-zoomed KeyLine { column-span: 1; }
    ProfileScreen.-zoomed Panel { display: none; column-span: 1; row-span: 1; }
    ProfileScreen.-zoomed Panel.-zoomed { display: block; column-span: 1; row-span: 1; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        *(
            Binding(key, f"{action}({by})", f"operation {key}", id=f"profile.{key}", key_display=arrow, group=_OPERATION,
                    priority=True, tooltip=f"The {words}")
            for key, arrow, action, by, words in (
                ("up", "↑", "step", -1, "operation before"), ("down", "↓", "step", 1, "operation after"),
                ("left", "←", "across", -1, "dot to the left"), ("right", "→", "across", 1, "dot to the right"),
            )
        ),
        Binding("w", "whose", "step or run", id="profile.whose", tooltip="The bars of one step, or of the run beneath"),
        *(
            Binding(str(n), f"zoom({n})", f"zoom {what}", id=f"profile.zoom_{n}", tooltip=f"Only the {what}, or all")
            for n, what in enumerate(("roofline", "operations", "waterfall"), 1)
        ),
    ]  # fmt: skip

    def __init__(
        self,
        config: RunConfig,
        busy: Callable[[], bool] = lambda: False,
        hush: Callable[[], None] = lambda: None,
        worker_factory: Callable[[RunConfig], AnyProfileWorker] = ProfileWorker,
        spent: Callable[[], Spent | None] = lambda: None,
    ) -> None:
        super().__init__(busy, hush, lambda: worker_factory(config), self._anatomy_of, self._hand)
        self._spent, self._of_run = spent, True
        self._chosen: int | None = None
        self._anatomy = Anatomy()
        self._roofs: tuple[Profile, Roofline] | None = None
        self._header = ProfileHeader(config)
        self._line = ViewCanvas(self._header, id="profile-header")
        self._views = (RooflineView(), OperationsView(), WaterfallView())
        self._panels = (
            Panel(1, "roofline", self._views[0], id="profile-roofline", numbers=True, turn=None),
            Panel(2, "operations of a step", self._views[1], id="profile-operations", numbers=True, turn=None),
            Panel(3, "where the time went", self._views[2], id="profile-waterfall", numbers=True, turn=None),
        )

    def _anatomy_of(self, worker: AnyProfileWorker | None) -> Anatomy:
        if worker is None:
            return Anatomy(waits=self._busy())
        found = worker.profile
        if found is None:
            return Anatomy(done=worker.done, failure=worker.failure)
        if self._roofs is None or self._roofs[0] is not found:
            self._roofs = found, roofline(found)
        spent = self._run_spent() if self._of_run else None
        fallen = waterfall(found, Spent.of_step(found) if spent is None else spent)
        return Anatomy(found, self._roofs[1], fallen, spent is not None, 1.0, worker.failure, chosen=self._chosen)

    def _run_spent(self) -> Spent | None:
        """What the run has spent; none before its first step."""
        spent = self._spent()
        return spent if spent is not None and spent.wall_seconds > 0 and spent.steps > 0 else None

    def _hand(self, anatomy: Anatomy) -> None:
        self._anatomy = anatomy
        for reader in (self._header, *self._views):
            reader.anatomy = anatomy

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action == "whose":
            return self._run_spent() is not None
        return super().check_action(action, parameters)

    @on(Panel.RowClicked)
    def _clicked(self, message: Panel.RowClicked) -> None:
        self._choose(message.row)

    def action_step(self, by: int) -> None:
        """The next operation; where the bars have the screen there is none to be seen, and they scroll."""
        if self._panels[2].canvas.zoomed:
            self._panels[2].scroll_relative(y=by, animate=False)
            return
        self._choose(self._anatomy.stepped(by))

    def action_across(self, by: int) -> None:
        self._choose(self._anatomy.across(by))

    def action_whose(self) -> None:
        self._of_run = not self._of_run
        self.tick()

    def action_again(self) -> None:
        self._chosen = None
        super().action_again()

    def _choose(self, operation: int) -> None:
        if self._anatomy.dots:
            self._chosen = operation
            self.tick()
