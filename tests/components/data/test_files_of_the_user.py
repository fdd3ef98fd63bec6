"""The user's .npz and .csv: what is read, and what every mistake gets told."""

from pathlib import Path

import numpy as np
import pytest

from fedcli.components.data import DATASETS
from fedcli.components.data.datasets.columns import encode, encode_array
from fedcli.components.data.datasets.tables import read_table
from fedcli.components.data.datasets.text_column import PIECE_ROWS
from fedcli.core.errors import ConfigError, DataError

NPZ, CSV = DATASETS["npz"], DATASETS["csv"]
X, Y = np.arange(20.0).reshape(10, 2), np.array([0, 1] * 5)


@pytest.fixture
def save(tmp_path):
    def save(**arrays):
        np.savez(tmp_path / "data.npz", **arrays)
        return str(tmp_path / "data.npz")

    return save


@pytest.fixture
def write(tmp_path):
    def write(text, encoding="utf-8"):
        (tmp_path / "data.csv").write_bytes(text.encode(encoding))
        return str(tmp_path / "data.csv")

    return write


def test_npz_with_its_own_test_set(save):
    dataset = NPZ(0, path=save(x_train=X, y_train=Y, x_test=X[:3], y_test=Y[:3]))
    assert (len(dataset.y), len(dataset.y_test), dataset.num_outputs) == (10, 3, 2)


def test_npz_holds_a_test_set_out_of_x_and_y(save):
    path = save(x=X, y=Y)
    dataset = NPZ(3, path=path, test_fraction=0.3)
    rows = np.concatenate([dataset.x, dataset.x_test])
    assert len(dataset.y_test) == 3
    assert sorted(rows[:, 0].tolist()) == X[:, 0].tolist()
    assert np.array_equal(dataset.x_test, NPZ(3, path=path, test_fraction=0.3).x_test)


def test_npz_regression_with_several_targets(save):
    dataset = NPZ(0, path=save(x=X, y=X), task="regression")
    assert (dataset.num_outputs, dataset.y.dtype) == (2, np.float32)


def test_npz_names_its_clients_and_numbers_its_texts(save):
    clients, labels = np.array(["b", "a"] * 5), np.array(["no", "yes"] * 5)
    dataset = NPZ(0, path=save(x=X, y=labels, client=clients))
    assert dataset.client_names == ("a", "b")
    assert np.array_equal(dataset.client_ids, 1 - dataset.y)
    assert dataset.num_outputs == 2


@pytest.mark.parametrize(
    "values",
    [
        np.array([7, -3, 7, 10, 9]),
        np.array([2**63, 1, 2**63], np.uint64),
        np.array(["b", "Z", "a10", "\U0001f600", "ä", "b", "a9"]),
    ],
)
def test_values_of_an_array_get_the_numbers_that_a_list_of_them_gets(values):
    codes, names = encode(values.tolist())
    found, found_names = encode_array(values)
    assert (found.tolist(), found.dtype, found_names) == (codes.tolist(), np.int64, names)


def test_declared_texts_of_an_array_have_the_order_of_the_declaration():
    assert encode_array(np.array(["b", "c", "b"]), ["c", "b", "a"])[0].tolist() == [1, 0, 1]
    with pytest.raises(KeyError, match="z"):
        encode_array(np.array(["b", "z", "a"]), ["b"])


@pytest.mark.parametrize(
    ("arrays", "sentence"),
    [
        ({"x": X}, "holds x; expected x_train, y_train, x_test and y_test, or x and y"),
        ({"x": X, "y": Y[:4]}, r"x has the shape \[10, 2\] and y has \[4\]"),
        ({"x": X, "y": Y, "client": Y[:4]}, r"client has \[4\]"),
        ({"x": X, "y": Y, "client": X[:, 0]}, "client is float64"),
        ({"x": X, "y": Y / 2}, "y has the type float64; expected classes, as integers or texts"),
        ({"x": X, "y": np.eye(2)[Y]}, r"y has the shape \[10, 2\]; expected one label"),
        ({"x": X, "y": Y - 1}, "are -1 to 0; expected classes from 0 on"),
        ({"x": X, "y": Y * 5000}, "labels of 8 examples are 0 to 5,000"),
        ({"x": X[:, 0], "y": Y}, r"x has the shape \[8\]"),
        ({"x": X, "y": np.array([None] * 10)}, "cannot be read as .npz: Object arrays"),
        ({"x_train": X, "y_train": Y, "x_test": X[:0], "y_test": Y[:0]}, r"x_test has the shape \[0, 2\]"),
    ],
)
def test_npz_mistakes_are_told_in_a_sentence(save, arrays, sentence):
    with pytest.raises(DataError, match=sentence) as caught:
        NPZ(0, path=save(**arrays))
    assert caught.value.key == "path"


def test_npz_that_is_something_else(tmp_path):
    np.save(tmp_path / "one.npy", X)
    (tmp_path / "text.npz").write_text("hello")
    with pytest.raises(DataError, match="a single array and not an archive"):
        NPZ(0, path=str(tmp_path / "one.npy"))
    with pytest.raises(DataError, match="cannot be read as"):
        NPZ(0, path=str(tmp_path / "text.npz"))


@pytest.mark.parametrize(("read", "parameters"), [(NPZ, {}), (CSV, {"target": "y"})])
def test_a_file_that_is_not_there_is_named_in_full(read, parameters, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match=f"There is no file {tmp_path}/gone.dat") as caught:
        read(0, path="gone.dat", **parameters)
    assert caught.value.key == "path"


TABLE = "size,colour,site,kind\n" + "".join(
    f"{row},{'red' if row % 2 else 'blue'},site{row % 3},{'cat' if row < 6 else 'dog'}\n" for row in range(12)
)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_csv_numbers_stay_and_texts_become_one_hot(write, encoding):
    parameters = {"target": "kind", "client_column": "site", "test_fraction": 0.25}
    dataset = CSV(0, path=write(TABLE, encoding), **parameters)
    rows = np.concatenate([dataset.x, dataset.x_test])
    rows = rows[np.argsort(rows[:, 0])]
    assert rows.tolist() == [[row, (row + 1) % 2, row % 2] for row in range(12)]
    assert dataset.client_names == ("site0", "site1", "site2")
    assert np.array_equal(dataset.client_ids, dataset.x[:, 0] % 3)
    assert np.array_equal(dataset.y, dataset.x[:, 0] >= 6)
    assert np.array_equal(dataset.x, CSV(0, path=write(TABLE), **parameters).x)


def test_csv_classes_that_are_numbers_are_sorted_as_numbers(write):
    dataset = CSV(0, path=write("a,y\n1,10\n2,9\n3,10\n4,9\n5,9\n"), target="y")
    assert np.array_equal(dataset.y, np.isin(dataset.x[:, 0], [1, 3]))


def test_csv_regression_ignores_columns_and_blank_lines(write):
    table = 'a,"b, quoted",note\n1,2.5,x\n\n3,1e-3,y\n4,-1,z\n'
    dataset = CSV(
        0,
        path=write(table),
        target="b, quoted",
        ignore_columns=("note",),
        task="regression",
        test_fraction=0.4,
    )
    assert dataset.x.shape == (2, 1)
    assert dataset.y.dtype == np.float32


NAMES = "name,y\n" + "".join(f"n{row},{row % 2}\n" for row in range(1001))


def test_a_table_of_several_pieces_has_the_texts_and_lines_of_its_file(write):
    texts = [f"{row}é" for row in range(2 * PIECE_ROWS + 1)]
    # Two lines in one value; an end of a piece; what is between joined texts.
    texts[1], texts[PIECE_ROWS - 1], texts[-1] = "a\nb", "", "a\x1fb"
    table = read_table(Path(write("".join(f'"{text}",1\n' for text in ["name", *texts]))))
    names = table.columns["name"]
    assert (list(names), len(names), names[-3:]) == (texts, len(texts), texts[-3:])
    assert [names[row] for row in (0, 1, PIECE_ROWS, -1)] == [texts[row] for row in (0, 1, PIECE_ROWS, -1)]
    assert (table.lines[0], table.lines[1], table.lines[-1]) == (2, 4, len(texts) + 2)


def test_the_first_wrong_row_is_told_and_a_file_that_cannot_be_read_before_it(write):
    long = "a,b\n" + "1,2\n" * PIECE_ROWS + "1,2,3\n1\n" + "1,2\n" * PIECE_ROWS
    with pytest.raises(DataError, match=f"Line {PIECE_ROWS + 2} of .* has 3 values"):
        read_table(Path(write(long)))
    with pytest.raises(DataError, match="cannot be read as csv"):
        read_table(Path(write(long + '"')))


@pytest.mark.parametrize(
    ("table", "parameters", "key", "sentence"),
    [
        ("", {}, "path", "is empty"),
        ("a,y\n", {}, "path", "has a header but no rows"),
        ("a,a,y\n1,2,3\n", {}, "path", "the column 'a' 2 times"),
        ("a,,y\n1,2,3\n", {}, "path", "Column 2 of .* has no name"),
        ("a,y\n1,2\n3\n", {}, "path", "Line 3 of .* has 1 values; its header has 2"),
        ('a,y\n"1,2\n', {}, "path", "cannot be read as csv"),
        ("a,y\n1,0\n,1\n", {}, "path", "Line 3 of .* has no value in the column 'a'"),
        ("a,y\n1,0\n2,NA\n", {}, "path", "Line 3 of .* has no value in the column 'y' but 'NA'"),
        ("a,y\n1,0\ninf,1\n", {}, "path", "Line 3 of .* has 'inf' in the column 'a'"),
        ("a,why\n1,0\n", {}, "target", "no column 'y'; it has a, why"),
        ("a,y\n1,0\n", {"client_column": "site"}, "client_column", "no column 'site'"),
        ("a,y\n1,0\n", {"ignore_columns": ("b",)}, "ignore_columns", "no column 'b'"),
        ("y\n1\n", {}, "path", "is not a table: its first line has one value"),
        ("a,y\n1,0\n2,0\n", {}, "target", "has 1 distinct values; expected 2 to 1,000 classes"),
        ("a,y\n1,x\n2,z\n", {"task": "regression"}, "target", "holds texts; expected numbers for regression"),
        (NAMES, {}, "ignore_columns", "has 1,001 distinct texts"),
    ],
)
def test_csv_mistakes_are_told_in_a_sentence(write, table, parameters, key, sentence):
    with pytest.raises(DataError, match=sentence) as caught:
        CSV(0, path=write(table), target="y", **parameters)
    assert caught.value.key == key


def test_csv_that_is_not_utf8(write):
    with pytest.raises(DataError, match="cannot be read as csv"):
        CSV(0, path=write("größe,y\n1,0\n", "latin-1"), target="y")


def test_a_close_name_is_suggested(write):
    with pytest.raises(DataError, match="Did you mean 'delay'"):
        CSV(0, path=write("a,delay\n1,0\n"), target="dealy")


def test_a_test_fraction_that_leaves_nothing_is_told(write):
    with pytest.raises(ConfigError, match="leaves no test example") as caught:
        CSV(0, path=write("a,y\n1,0\n2,1\n"), target="y")
    assert caught.value.key == "test_fraction"


@pytest.mark.parametrize(
    "content", ["root:x:0:0:top-secret\nnobody:x:1\n", "top-secret,a,a\n1,2\n", "top-secret\n"]
)
def test_no_error_shows_a_file_that_is_no_table(tmp_path, content):
    (tmp_path / "other").write_text(content)
    with pytest.raises(DataError) as caught:
        DATASETS["csv"](1, path=str(tmp_path / "other"), target="state")
    assert "top-secret" not in str(caught.value)
