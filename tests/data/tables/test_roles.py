"""The roles of columns, missing values, the targets' forms, and what an option changes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.support.table_files import load, refused, write
from tuisim import data
from tuisim.data.tables.roles import TableOptions

ROWS = 60
RNG = np.random.default_rng(5)
AGE = RNG.integers(18, 80, ROWS).tolist()
PRICE = RNG.uniform(1, 9, ROWS).round(2).tolist()
COLOUR = [("red", "green", "blue")[k % 3] for k in range(ROWS)]
MEMBER = ["True" if k % 4 else "False" for k in range(ROWS)]
LABEL = [("no", "yes")[k % 2] for k in range(ROWS)]


def table(path: Path, **columns: list[object]) -> Path:
    lines = [",".join(columns), *(",".join(map(str, row)) for row in zip(*columns.values(), strict=True))]
    return write(path / "a.csv", "\n".join(lines) + "\n")


def roles(path: Path, **options: object) -> dict[str, tuple[str, str]]:
    found = data.table_preview(path, TableOptions(**options))  # type: ignore[arg-type]
    return {column.label: (column.role, column.reason) for column in found.columns}


def test_each_column_gets_its_role(tmp_path: Path) -> None:
    path = table(
        tmp_path,
        number=list(range(1, ROWS + 1)), customer_id=RNG.permutation(ROWS).tolist(), name=[f"person {k}" for k in range(ROWS)],
        joined=[f"2020-01-{k % 28 + 1:02}" for k in range(ROWS)], seen=[f"{k % 12 + 1}/3/21 10:30" for k in range(ROWS)],
        land=["DE"] * ROWS, nothing=[""] * ROWS, age=AGE, price=PRICE, colour=COLOUR, member=MEMBER,
        many=[f"v{k % 55}" for k in range(ROWS)], label=LABEL,
    )  # fmt: skip
    assert roles(path) == {
        "number": ("left out", "a row number in order"),
        "customer_id": ("left out", "an identifier: a different number in each row"),
        "name": ("left out", "a different text in each row"),
        "joined": ("left out", "dates"),
        "seen": ("left out", "dates"),
        "land": ("left out", "one value, DE"),
        "nothing": ("left out", "empty"),
        "age": ("number", ""),
        "price": ("number", ""),
        "colour": ("category", "3 values, one-hot"),
        "member": ("number", ""),
        "many": ("left out", "55 different texts"),
        "label": ("target", "the last column"),
    }
    found = data.table_preview(path)
    assert [column.dtype for column in found.columns[2:12]] == [
        "text", "date", "date", "text", "empty", "number", "number", "text", "boolean", "text",
    ]  # fmt: skip
    assert (found.rows, found.inputs, found.outputs, found.classes) == (ROWS, 6, 2, ("no", "yes"))
    assert found.columns[9].values == tuple(COLOUR[:5])
    assert found.columns[9].inputs == 3
    assert found.notes == (
        "columns left out: number (a row number in order), customer_id (an identifier: a different number in each row), "
        "name (a different text in each row), joined (dates), seen (dates), land (one value, DE), and 2 more",
        "categories, one-hot encoded: colour (3)",
    )


def test_categories_are_columns_of_zero_and_one_in_sorted_order(tmp_path: Path) -> None:
    path = table(tmp_path, colour=COLOUR, member=MEMBER, label=LABEL)
    rows = load(path, (4, 2), validation=0, shuffle=False, scaling="none").batch_sampler(ROWS).next_block().X
    expected = [
        [colour == one for one in ("blue", "green", "red")] + [member == "True"]
        for colour, member in zip(COLOUR, MEMBER, strict=True)
    ]
    assert rows.tolist() == np.array(expected, dtype=float).tolist()


def test_options_change_roles(tmp_path: Path) -> None:
    path = table(
        tmp_path,
        number=list(range(ROWS)),
        age=AGE,
        rooms=[k % 4 for k in range(ROWS)],
        note=[f"n{k}" for k in range(ROWS)],
        label=LABEL,
    )
    assert data.table_preview(path).inputs == 2
    changed = roles(path, drop=("age",), categorical=("rooms",), keep=("1",))
    assert changed["age"] == ("left out", "as asked")
    assert changed["rooms"] == ("category", "as asked, one-hot")
    assert changed["number"] == ("number", "as asked")
    assert data.table_preview(path, TableOptions(categorical=("rooms", "note"))).inputs == 1 + 4 + ROWS
    assert load(path, (1 + 4, 2), drop="number", categorical=("rooms",)).notes[:3] == (
        "columns left out: note (a different text in each row)",
        "columns dropped: number",
        "categories, one-hot encoded: rooms (4)",
    )
    assert "has no column ages: it has number, age, rooms, note, label, and numbers 1 to 5; did you mean age?" in refused(
        path, drop="ages"
    )
    assert "label is the target and dropped" in refused(path, drop="label")
    assert "has no input left (number: a row number" not in refused(table(tmp_path, number=list(range(ROWS)), label=LABEL))
    assert "has no input left (land: one value, DE): name one with keep" in refused(
        table(tmp_path, land=["DE"] * ROWS, label=LABEL)
    )


def test_numbers_and_texts_in_one_column(tmp_path: Path) -> None:
    few = table(tmp_path, depends=[("0", "1", "3+")[k % 3] for k in range(ROWS)], label=LABEL)
    assert roles(few)["depends"] == ("category", "3 values, one-hot")
    ticket = [f"A/{k} {k * 7}" if k % 2 else str(k * 1_001) for k in range(2 * ROWS)]
    free = table(tmp_path, age=AGE * 2, ticket=ticket, label=LABEL * 2)
    assert roles(free)["ticket"] == ("left out", "a different text in each row")
    wrong = table(tmp_path, price=[*PRICE[:30], "unknown", *PRICE[31:]], label=LABEL)
    assert "line 32, column 1 (price) is 'unknown': write a number, or use categorical price or drop price" in refused(wrong)


def test_numbers_are_read_as_people_write_them(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", 'a;b;y\n1.234,5;"10 %";x\n12,25;20%;y\n7;5 %;x\n')
    found = load(path, (2, 2), validation=0, shuffle=False, scaling="none").batch_sampler(3).next_block().X
    assert found.tolist() == [[1234.5, 10], [12.25, 20], [7, 5]]
    path = write(tmp_path / "b.csv", 'a,b,y\n"1,234.5",1e3,x\n"12,000",+.5,y\n-7,-2.5E-1,x\n')
    found = load(path, (2, 2), validation=0, shuffle=False, scaling="none").batch_sampler(3).next_block().X
    assert found.tolist() == [[1234.5, 1000], [12000, 0.5], [-7, -0.25]]


MISSING = ["", "?", "NA", "NaN", "null", "-"]


@pytest.mark.parametrize("marker", MISSING)
def test_rows_with_a_missing_value_are_left_out(tmp_path: Path, marker: str) -> None:
    ages, colours = [*AGE[:-2], marker, AGE[-1]], [*COLOUR[:-2], marker, marker]
    path = table(tmp_path, age=ages, colour=colours, label=LABEL)
    found = data.table_preview(path)
    assert (found.rows, found.rows_dropped, found.inputs) == (ROWS, 2, 4)
    assert [column.missing for column in found.columns] == [1, 2, 0]
    dataset = load(path, (4, 2), validation=0)
    assert dataset.examples == ROWS - 2
    assert f"2 of {ROWS} rows left out: a value is missing (age 1, colour 2)" in dataset.notes


def test_missing_inputs_become_the_means_of_the_training_rows(tmp_path: Path) -> None:
    ages, colours = ["", *AGE[1:]], [*COLOUR[:-1], "?"]
    path = table(tmp_path, age=ages, colour=colours, label=LABEL)
    dataset = load(path, (4, 2), missing="mean", validation=0.5, scaling="none")
    assert any(note.startswith("4 missing inputs of ") for note in dataset.notes)
    assert dataset.validation is not None
    train, held = dataset.sample(ROWS)[0], dataset.validation[0]
    both = np.concatenate([train, held])
    assert len(both) == ROWS
    whole = both[:, 0] == np.round(both[:, 0])
    mean = train[:, 0][np.isin(train[:, 0], AGE)].mean()
    assert both[:, 0][~whole].tolist() == pytest.approx([mean] * int((~whole).sum()))
    one_hot = np.isin(both[:, 1:], (0, 1)).all(axis=1)
    assert (~one_hot).sum() == 1
    assert both[~one_hot][0, 1:].sum() == pytest.approx(1)


def test_missing_values_may_be_an_error(tmp_path: Path) -> None:
    path = table(tmp_path, age=[*AGE[:9], "NA", *AGE[10:]], colour=COLOUR, label=LABEL)
    assert "line 11, column 1 (age) has no value: fill it, or use missing drop or mean" in refused(path, (4, 2), missing="error")
    half = table(tmp_path, age=["?" if k % 2 else AGE[k] for k in range(ROWS)], colour=COLOUR, label=LABEL)
    assert "30 of 60 rows have a missing value, most of them age, 30, first in line 3: use drop age, or missing mean" in refused(
        half, (4, 2)
    )
    assert load(half, (3, 2), drop="age").examples == 54
    assert load(half, (4, 2), missing="mean").examples == 54


def test_a_missing_target_is_never_filled(tmp_path: Path) -> None:
    path = table(tmp_path, age=AGE, label=[*LABEL[:-1], ""])
    assert load(path, (1, 2), missing="mean", validation=0).examples == ROWS - 1


def test_rows_without_any_value_are_no_rows(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "a,b,y\n1,2,x\n,,\n3,4,y\n,,\n,,\n")
    assert (data.table_preview(path).rows_dropped, load(path, (2, 2), validation=0).examples) == (0, 2)


@pytest.mark.parametrize(
    ("targets", "classes"),
    [
        (["007", "042", "007", "1"], ("007", "042", "1")),
        (["1", "2", "3", "1"], ("1", "2", "3")),
        (["1.0", "2.0", "2", "1"], ("1", "2")),
        (["True", "false", "TRUE", "False"], None),
        (["yes", "no", "yes", "no"], ("no", "yes")),
        ([" a", "b ", "a", "b"], ("a", "b")),
    ],
)
def test_targets_are_classes_by_their_text(tmp_path: Path, targets: list[str], classes: tuple[str, ...] | None) -> None:
    path = table(tmp_path, age=AGE, label=targets * (ROWS // 4))
    found = data.table_preview(path)
    assert found.kind == "classes"
    if classes is not None:
        assert found.classes == classes
    assert load(path, (1, found.outputs)).kind == "classes"


def test_numbers_and_words_as_targets(tmp_path: Path) -> None:
    path = table(tmp_path, age=AGE, label=[("0", "1", "unknown")[k % 3] for k in range(ROWS)])
    assert data.table_preview(path).classes == ("0", "1", "unknown")
    path = table(tmp_path, age=AGE, label=[*([0, 1] * 29), "O", 1])
    assert "line 60, column 2 (label) is 'O' among numbers: correct it, or use task classes" in refused(path, (1, 2))
    assert data.table_preview(path, TableOptions(task="classes")).classes == ("0", "1", "O")


def test_several_targets(tmp_path: Path) -> None:
    path = table(tmp_path, up=[k % 2 for k in range(ROWS)], a=PRICE, b=AGE, down=[1 - k % 2 for k in range(ROWS)])
    found = data.table_preview(path, TableOptions(target=("up", "down")))
    assert (found.inputs, found.kind, found.classes) == (2, "classes", ("up", "down"))
    numbers = data.table_preview(path, TableOptions(target=("a", "2", "b")))
    assert (numbers.inputs, numbers.kind, numbers.outputs) == (2, "regression", 2)
    rows = load(path, (2, 2), loss="mse", target=("a", "b"), validation=0, shuffle=False).batch_sampler(ROWS).next_block().Y
    assert np.allclose(rows.mean(axis=0), 0)
    assert "the target colour is text and one of several" in refused(
        table(tmp_path, age=AGE, colour=COLOUR, b=PRICE), (1, 2), target=("colour", "b")
    )


def test_a_column_named_label_is_the_target_wherever_it_is(tmp_path: Path) -> None:
    path = table(tmp_path, label=[k % 3 for k in range(ROWS)], pixel0=AGE, pixel1=[0] * ROWS)
    found = data.table_preview(path)
    assert (found.inputs, found.classes) == (1, ("0", "1", "2"))
    assert "target: label (by its name)" in found.notes
    assert load(path, (2, 3)).sample(5)[0].shape == (5, 2)
    path = table(tmp_path, label=LABEL, target=AGE, y=PRICE)
    assert [column.role for column in data.table_preview(path).columns] == ["category", "number", "target"]


def test_a_preview_is_read_once_until_the_file_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = table(tmp_path, age=AGE, label=LABEL)
    assert data.table_preview(path).rows == ROWS
    with monkeypatch.context() as patch:
        patch.setattr("tuisim.data.tables.reader.read", lambda *_: pytest.fail("it is read again"))
        assert data.table_preview(path).rows == ROWS
    table(tmp_path, age=AGE * 2, label=LABEL * 2)
    assert data.table_preview(path).rows == 2 * ROWS


def test_validation_rows_of_a_second_file_have_the_columns_of_the_first(tmp_path: Path) -> None:
    first = table(tmp_path, number=list(range(ROWS)), age=AGE, colour=COLOUR, label=LABEL)
    held = write(tmp_path / "held.csv", "label,colour,age,other\nyes,red,50,1\nno,green,20,1\nyes,pink,30,1\nno,blue,,1\n")
    dataset = load(first, (4, 2), validation_data=str(held), scaling="none")
    assert dataset.validation is not None
    assert dataset.validation[0].tolist() == [[50, 0, 0, 1], [20, 0, 1, 0], [30, 0, 0, 0]]
    assert dataset.validation[1].tolist() == [1, 0, 1]
    said = " ".join(dataset.notes)
    assert "held.csv: 1 value of categories that no training row has: encoded as all zeros" in said
    assert "held.csv: 1 of 4 rows left out: a value is missing (age 1)" in said
