"""Tables made to the shape of well-known public ones: their columns, types, gaps and ways of writing, drawn from a seed.

No row is taken from the originals.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

Rng = np.random.Generator


@dataclass(frozen=True)
class MadeTable:
    """A table's text, and the right reading of it."""

    text: str
    options: dict[str, Any]
    rows: int
    inputs: int
    outputs: int
    kind: str
    dropped: int = 0
    left_out: tuple[str, ...] = ()


def written(rows: Sequence[Sequence[object]], heading: Sequence[str] = (), mark: str = ",") -> str:
    lines = [mark.join(map(str, row)) for row in rows]
    return "\n".join([mark.join(heading)] * bool(heading) + lines) + "\n"


def _pick(rng: Rng, values: Sequence[str], rows: int) -> list[str]:
    """Draw values, each at least once."""
    return [*values, *(str(one) for one in rng.choice(values, rows - len(values)))]


def _gaps(rng: Rng, values: list[Any], count: int, marker: str = "") -> list[Any]:
    for place in rng.choice(np.arange(60, len(values)), count, replace=False).tolist():
        values[place] = marker
    return values


def titanic(rng: Rng) -> MadeTable:
    """891 passengers: quoted names with commas, free tickets, ages with gaps, cabins mostly blank; the target comes second."""
    rows = 891
    sex, age = _pick(rng, ("male", "female"), rows), rng.uniform(1, 80, rows).round(1).tolist()
    survived = [int(rng.random() < (0.8 if one == "female" else 0.2)) for one in sex]
    age = _gaps(rng, age, 177)
    ports = _gaps(rng, _pick(rng, ("S", "C", "Q"), rows), 2)
    cabins = [f"C{k}" if k % 4 == 0 else "" for k in range(rows)]
    tickets = [str(rng.integers(1_000, 400_000)) if k % 3 else f"PC {rng.integers(1_000, 20_000)}" for k in range(rows)]
    body = [
        (
            k + 1, survived[k], rng.integers(1, 4), f'"Name{k}, Mr. X ""Y"""', sex[k], age[k],
            rng.integers(0, 6), rng.integers(0, 5), tickets[k],
            round(rng.uniform(5, 500), 4), cabins[k], ports[k],
        )
        for k in range(rows)
    ]  # fmt: skip
    heading = ["PassengerId", "Survived", "Pclass", "Name", "Sex", "Age", "SibSp", "Parch", "Ticket", "Fare", "Cabin", "Embarked"]
    gaps = sum(not one or not port for one, port in zip(map(str, age), ports, strict=True))
    left = ("PassengerId", "Name", "Ticket", "Cabin")
    return MadeTable(written(body, heading), {"target": ("Survived",)}, rows, 10, 2, "classes", gaps, left)


def boston(rng: Rng) -> MadeTable:
    """506 towns in runs of blanks, 13 numbers, one of them 0 or 1, and a price."""
    X = rng.normal(5, 2, (506, 13)).round(4)
    X[:, 3] = rng.random(506) < 0.1
    y = (X[:, 5] * 3 - X[:, 12] + 20).round(1)
    return MadeTable(
        "".join(" " + "  ".join(f"{v:8.4f}" for v in (*row, t)) + "\n" for row, t in zip(X, y, strict=True)),
        {},
        506,
        13,
        1,
        "regression",
    )


def adult(rng: Rng) -> MadeTable:
    """A census without a heading: `, ` between cells, ` ?` for unknown, 42 countries, six numbers."""
    rows = 1_200
    counts = {"work": 8, "school": 16, "marital": 7, "job": 14, "relation": 6, "race": 5, "sex": 2, "land": 42}
    names = [[f"{word}-{one}" for one in range(count)] for word, count in counts.items()]
    texts = [_pick(rng, values, rows) for values in names]
    texts[0], texts[3] = _gaps(rng, texts[0], 60, "?"), _gaps(rng, texts[3], 60, "?")
    numbers = [
        rng.integers(17, 90, rows),
        rng.integers(10_000, 900_000, rows),
        rng.integers(1, 17, rows),
        rng.integers(0, 9_999, rows),
        rng.integers(0, 4_000, rows),
        rng.integers(1, 99, rows),
    ]
    target = [("<=50K", ">50K")[int(one > 10)] for one in numbers[2]]
    order = [numbers[0], texts[0], numbers[1], texts[1], numbers[2], *texts[2:7], *numbers[3:6], texts[7], target]
    body = list(zip(*order, strict=True))
    gaps = sum(a == "?" or b == "?" for a, b in zip(texts[0], texts[3], strict=True))
    inputs = 6 + sum(counts.values())
    return MadeTable(written(body, mark=", "), {}, rows, inputs, 2, "classes", gaps)


def wine_quality(rng: Rng) -> MadeTable:
    """Semicolons, a quoted heading, grades from 3 to 8."""
    X = rng.normal(8, 1, (400, 11)).round(3)
    body = [(*row, grade) for row, grade in zip(X.tolist(), (3 + np.arange(400) % 6).tolist(), strict=True)]
    heading = [f'"measure {k}"' for k in range(11)] + ['"quality"']
    return MadeTable(written(body, heading, ";"), {}, 400, 11, 6, "classes")


def breast_cancer(rng: Rng) -> MadeTable:
    """An identifier, then the class as a letter, then numbers; without a heading, so that both are named by number."""
    ids = rng.choice(900_000, 569, replace=False) + 8_000
    kinds = _pick(rng, ("M", "B"), 569)
    body = [(ids[k], kinds[k], *rng.normal(10, 3, 30).round(4).tolist()) for k in range(569)]
    return MadeTable(written(body), {"target": ("2",), "drop": ("1",)}, 569, 30, 2, "classes", left_out=("column 1",))


def scikit_learn_wine(rng: Rng) -> MadeTable:
    """scikit-learn's count line with the classes' names."""
    body = [(*rng.normal(3, 1, 13).round(2).tolist(), k % 3) for k in range(178)]
    return MadeTable("178,13,class_0,class_1,class_2\n" + written(body), {}, 178, 13, 3, "classes")


def scikit_learn_boston(rng: Rng) -> MadeTable:
    """scikit-learn's count line, blank but for two numbers, before the heading."""
    body = [(*rng.normal(3, 1, 13).round(3).tolist(), round(rng.uniform(5, 50), 1)) for _ in range(506)]
    heading = [f'"N{k}"' for k in range(14)]
    return MadeTable("506,13" + "," * 12 + "\n" + written(body, heading), {}, 506, 13, 1, "regression")


def mushroom(rng: Rng) -> MadeTable:
    """Letters alone; the class is the first column; one column has one letter, one has `?`."""
    shapes = ["bcx", "fs", "nbc", "tf", "al"]
    columns = [_pick(rng, tuple(letters), 500) for letters in shapes]
    columns[4] = _gaps(rng, columns[4], 40, "?")
    body = list(zip(_pick(rng, ("p", "e"), 500), *columns, ["p"] * 500, strict=True))
    heading = ["class", "shape", "surface", "colour", "bruises", "odor", "veil"]
    return MadeTable(written(body, heading), {"target": ("class",)}, 500, 12, 2, "classes", 40, ("veil",))


def auto_mpg(rng: Rng) -> MadeTable:
    """Runs of blanks, the consumption first, `?` for six powers, a tab and a quoted name that is free text."""
    lines = []
    for k in range(398):
        power = "?" if k in range(100, 106) else f"{rng.uniform(50, 200):.1f}"
        weight, acceleration = rng.uniform(1_600, 5_000), rng.uniform(8, 24)
        numbers = f"{rng.integers(3, 9)}   {rng.uniform(70, 450):.1f}      {power}      {weight:.0f}.      {acceleration:.1f}"
        lines.append(f'{rng.uniform(9, 46):.1f}   {numbers}   {70 + k % 13}  {k % 3 + 1}\t"car model {k}"\n')
    return MadeTable("".join(lines), {"target": ("1",)}, 398, 7, 1, "regression", 6, ("column 9",))


def churn(rng: Rng) -> MadeTable:
    """A customer's code, Yes and No, a sum that is one blank in places, and the answer in words."""
    rows = 700
    total = _gaps(rng, rng.uniform(20, 8_000, rows).round(2).tolist(), 11, " ")
    contract = _pick(rng, ("Month-to-month", "One year", "Two year"), rows)
    body = [
        (f"{k:04}-ABCDE", ("Yes", "No")[k % 2], k % 72 + 1, contract[k], total[k], ("No", "Yes")[k % 3 == 0]) for k in range(rows)
    ]
    heading = ["customerID", "Partner", "tenure", "Contract", "TotalCharges", "Churn"]
    return MadeTable(written(body, heading), {}, rows, 7, 2, "classes", 11, ("customerID",))


def bank(rng: Rng) -> MadeTable:
    """Semicolons, quoted words, and the answer as yes or no."""
    jobs, months = _pick(rng, [f'"job{k}"' for k in range(12)], 600), _pick(rng, [f'"m{k}"' for k in range(12)], 600)
    body = [(rng.integers(18, 90), jobs[k], rng.integers(-500, 9_000), months[k], ('"no"', '"yes"')[k % 2]) for k in range(600)]
    return MadeTable(written(body, ['"age"', '"job"', '"balance"', '"month"', '"y"'], ";"), {}, 600, 26, 2, "classes")


def bike_hours(rng: Rng) -> MadeTable:
    """A row number, a date, and counts as target."""
    body = [
        (k + 1, f"2011-{k % 12 + 1:02}-{k % 28 + 1:02}", k % 24, round(rng.random(), 2), rng.integers(0, 900)) for k in range(480)
    ]
    heading = ["instant", "dteday", "hr", "temp", "cnt"]
    return MadeTable(written(body, heading), {}, 480, 2, 1, "regression", left_out=("instant", "dteday"))


def digits_first(rng: Rng) -> MadeTable:
    """Images as Kaggle has MNIST: the label first, pixels from 0 to 255, of which the outer ones are always 0."""
    pixels = rng.integers(0, 256, (300, 36))
    pixels[:, [0, 5, 35]] = 0
    body = [(k % 10, *row) for k, row in enumerate(pixels.tolist())]
    heading = ["label", *(f"pixel{k}" for k in range(36))]
    return MadeTable(written(body, heading), {}, 300, 33, 10, "classes", left_out=("pixel0", "pixel5", "pixel35"))


def house_prices(rng: Rng) -> MadeTable:
    """Thousands in quotes, square metres with a decimal point, and rooms."""
    body = [
        (f'"{rng.integers(100, 900)},{rng.integers(0, 1_000):03}"', round(rng.uniform(20, 300), 1), k % 6 + 1) for k in range(300)
    ]
    return MadeTable(written(body, ["price", "area", "rooms"]), {"target": ("price",)}, 300, 2, 1, "regression")


def seeds(rng: Rng) -> MadeTable:
    """Tabs, in places two of them, and classes from 1."""
    body = [(*rng.normal(12, 2, 7).round(3).tolist(), k // 70 + 1) for k in range(210)]
    return MadeTable(written(body, mark="\t").replace("\t", "\t\t", 3), {}, 210, 7, 3, "classes")


def r_table(rng: Rng) -> MadeTable:
    """R's write.table: the rows have names and the heading has none for them."""
    body = [(f'"{k + 1}"', *rng.normal(5, 1, 3).round(2).tolist(), ('"a"', '"b"')[k % 2]) for k in range(120)]
    return MadeTable(
        written(body, ['"x1"', '"x2"', '"x3"', '"g"'], " ").replace('"x1" ', '"x1" ', 1),
        {},
        120,
        3,
        2,
        "classes",
        left_out=("column 1",),
    )


MADE: dict[str, Callable[[Rng], MadeTable]] = {
    make.__name__: make
    for make in (
        titanic, boston, adult, wine_quality, breast_cancer, scikit_learn_wine, scikit_learn_boston, mushroom, auto_mpg, churn,
        bank, bike_hours, digits_first, house_prices, seeds, r_table,
    )
}  # fmt: skip
