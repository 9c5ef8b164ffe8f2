"""The registry of pages and commands. Both shells read it; it imports nothing, so a feature costs nothing until it is asked for.

To add a feature, add a folder and its lines here.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Page:
    """A page of the app, or a sub-page of one."""

    name: str
    title: str
    screen: str = ""
    """`module:class` of the screen, which is given a `PageContext`; empty for a page that only has sub-pages."""
    key: str = ""
    parent: str = ""
    """The name of the page that this is a sub-page of."""
    help: str = ""
    command: str = ""
    """The command of the command line that shows the same."""
    needs_config: bool = True
    """False if it opens also while the form has mistakes."""
    short: str = ""
    """The title where there is little room, if it is another."""


@dataclass(frozen=True, slots=True)
class Command:
    """A command of the command line."""

    name: str
    group: str
    function: str
    """`module:function`."""
    help: str
    uses_numpy: bool = True


PAGES = (
    Page("setup", "Setup", "tuisim.features.setup.screen:SetupScreen", "f2", help="Set up a run and see its cost", command="run"),
    Page(
        "import", "Import", "tuisim.features.setup.import_file.screen:ImportScreen", parent="setup",
        help="Choose a data file and the roles of its columns", command="run", needs_config=False,
    ),
    Page("run", "Run", "tuisim.features.run.screen:RunScreen", "f3", help="See the training in progress", command="run"),
    Page("inspect", "Inspect", key="f4", short="Insp", help="See inside the network of the run"),
    Page(
        "diagram", "Diagram", "tuisim.features.inspect.diagram.screen:DiagramScreen", parent="inspect",
        help="See the units and connections of the network for one example", command="run", needs_config=False,
    ),
    Page(
        "map", "Map", "tuisim.features.inspect.map.screen:MapScreen", parent="inspect",
        help="See what the network answers over its two inputs, or its one input", command="run", needs_config=False,
    ),
    Page(
        "weights", "Weights", "tuisim.features.inspect.weights.screen:WeightsScreen", parent="inspect",
        help="See the weights, gradients or updates of a layer as a picture", command="run", needs_config=False,
    ),
    Page(
        "examples", "Examples", "tuisim.features.inspect.examples.screen:ExamplesScreen", parent="inspect",
        help="See the examples that the network gets wrong, the worst first", command="run", needs_config=False,
    ),
    Page(
        "microscope", "Microscope", "tuisim.features.inspect.microscope.screen:MicroscopeScreen", parent="inspect",
        help="Follow one weight through a step: sum, activation, gradient, update", command="run", needs_config=False,
    ),
    Page(
        "waste", "Waste", "tuisim.features.inspect.waste.screen:WasteScreen", parent="inspect",
        help="Count the work of a step that changes nothing", command="run", needs_config=False,
    ),
    Page("compare", "Compare", key="f6", short="Comp", help="Compare backends and thread counts"),
    Page(
        "race", "Race", "tuisim.features.compare.race.screen:RaceScreen", parent="compare",
        help="Train this network on every backend, in turn", command="compare",
    ),
    Page(
        "crossover", "Crossover", "tuisim.features.compare.crossover.screen:CrossoverScreen", parent="compare",
        help="Find which of two backends is faster, by width and batch size", command="crossover",
    ),
    Page(
        "profile", "Profile", "tuisim.features.profile.screen:ProfileScreen", "f7",
        help="Profile a step: roofline, operations, waterfall", command="profile", short="Prof",
    ),
    Page("estimate", "Estimate", key="f8", short="Est", help="Estimate training times"),
    Page(
        "volume", "Any volume", "tuisim.features.estimate.volume.screen:VolumeScreen", parent="estimate",
        help="Estimate the time for any number of examples", command="project",
    ),
    Page(
        "known", "Known networks", "tuisim.features.estimate.known.screen:KnownNetworksScreen", parent="estimate",
        help="Estimate the time to train published networks on this machine", command="project --known",
    ),
    Page(
        "budget", "Budget", "tuisim.features.estimate.budget.screen:BudgetScreen", parent="estimate",
        help="Find the largest network or volume within a time or memory limit", command="budget",
    ),
    Page("explain", "Explain", key="f9", short="Expl", help="Check and explain the cost of training"),
    Page(
        "answer", "Answer", "tuisim.features.explain.answer.screen:AnswerScreen", parent="explain",
        help="Check seven claims about training cost", command="answer",
    ),
    Page(
        "proof", "Proof", "tuisim.features.explain.proof.screen:ProofScreen", parent="explain",
        help="Check the counts, the gradients and the backend", command="prove",
    ),
    Page(
        "conventions", "Conventions", "tuisim.features.explain.conventions.screen:ConventionsScreen", parent="explain",
        help="Compare the counts that other tools report for this network", command="count",
    ),
    Page(
        "runs", "Runs", "tuisim.features.runs.screen:RunsScreen", "f12",
        help="See past runs and the cost fit over them", command="runs",
    ),
)  # fmt: skip


def sub_pages(name: str) -> list[Page]:
    """Return the sub-pages of a page in their order."""
    return [page for page in PAGES if page.parent == name]


def siblings(name: str) -> list[Page]:
    """Return the pages that share a bar: the page of that name if it has a screen of its own, and its sub-pages."""
    return [page for page in PAGES if name in (page.name, page.parent) and page.screen]


MANUAL_SCREEN = "tuisim.features.manual.screen:ManualScreen"

TRAIN, COUNT, COMPARE, PREDICT, MACHINE, MANUAL = "Train", "Count and prove", "Compare", "Predict", "Machine", "Manual"

APP = Command("app", TRAIN, "tuisim.features.setup.command:open_app", "Open the app, its form filled with a run")
"""Run if the first argument is no command, but layers or an option."""

COMMANDS = (
    Command("run", TRAIN, "tuisim.features.run.command:run", "Train a network and print a summary"),
    Command("count", COUNT, "tuisim.features.setup.command:count", "Count the operations of a network without running it", False),
    Command("prove", COUNT, "tuisim.features.explain.proof.command:prove", "Check the counts, the gradients and the backend"),
    Command("answer", COUNT, "tuisim.features.explain.answer.command:answer", "Check seven claims about training cost"),
    Command("compare", COMPARE, "tuisim.features.compare.race.command:compare", "Run one network on several backends, in turn"),
    Command(
        "crossover",
        COMPARE,
        "tuisim.features.compare.crossover.command:crossover",
        "Find the faster backend by width and batch size",
    ),
    Command("bench", COMPARE, "tuisim.features.compare.bench.command:bench", "Time standard networks against other libraries"),
    Command("profile", COMPARE, "tuisim.features.profile.command:profile", "Time each operation of a step; find bottlenecks"),
    Command("predict", PREDICT, "tuisim.features.estimate.predict.command:predict", "Predict the time and memory of a run"),
    Command(
        "project",
        PREDICT,
        "tuisim.features.estimate.volume.command:project",
        "Estimate the time for any volume or for known networks",
    ),
    Command(
        "budget", PREDICT, "tuisim.features.estimate.budget.command:budget", "Find the largest run within a time or memory limit"
    ),
    Command("runs", PREDICT, "tuisim.features.runs.command:runs", "List past runs and the cost fit over them"),
    Command("calibrate", MACHINE, "tuisim.features.machine.calibrate.command:calibrate", "Measure this machine for predictions"),
    Command("score", MACHINE, "tuisim.features.machine.score.command:score", "Compare predictions with real runs"),
    Command("doctor", MACHINE, "tuisim.features.machine.doctor.command:doctor", "Report hardware, libraries and backends"),
    Command("manual", MANUAL, "tuisim.features.manual.command:manual", "Print a page of the manual, or the list of pages", False),
)
"""In the order in which `tuisim --help` lists them."""
