"""One content has one text, and no text makes a reader hang, fail or fill the memory."""

import json

import pytest

from fedcli.store.files import canonical_json

VALUE = {"b": [1, 2.5, None, True], "a": {"text": "ü", "none": []}}


@pytest.mark.parametrize(("indent", "sort_keys"), [(None, False), (1, True), (2, False)])
def test_what_is_written_is_read(indent, sort_keys):
    text = canonical_json.written(VALUE, indent=indent, sort_keys=sort_keys)
    assert text == (json.dumps(VALUE, indent=indent, sort_keys=sort_keys) + "\n").encode()
    assert canonical_json.parse_written(text, indent=indent, sort_keys=sort_keys) == VALUE


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b"", "is not JSON"),
        (b"\xff\xfe", "is not JSON"),
        (b"[" * 100_000 + b"]" * 100_000, "is not JSON"),
        (b"[" * 65 + b"]" * 65, "is nested more than 64 levels deep"),
        (b"[" + b"[]," * 1_000_000 + b"[]]", "has more than 1,000,000 values"),
        (b'{"a": 1, "b": 2, "a": 1}', "has the key 'a' twice"),
        (b'[{"c": {"": 1, "": 1}}]', "has the key '' twice"),
        (b"1" + b"0" * 400, "has an integer of 1,329 bits"),
        (b"1" + b"0" * 5000, "is not JSON"),
        (b"1e999", "has the number inf"),
        (b"[NaN]", "has the number nan"),
        (b'["\\ud800"]', "has a text that is not Unicode"),
        (b'{"\\udfff": 1}', "has a text that is not Unicode"),
    ],
    ids=lambda value: value[:12] if isinstance(value, bytes) else None,
)
def test_what_could_harm_a_reader_is_refused(text, reason):
    with pytest.raises(ValueError, match=f"^{reason}$"):
        canonical_json.parse(text)


@pytest.mark.parametrize("text", [b"[]", b"null", b"3", b'"a"'])
def test_a_file_is_an_object(text):
    with pytest.raises(ValueError, match="is not an object in JSON"):
        canonical_json.parse_object(text)


@pytest.mark.parametrize(
    "text", [b'{"a":10}\n', b'{"a": 1e1}\n', b'{"a": 10}', b'{"a": 10}\n\n', b'{"\\u0061": 10}\n']
)
def test_another_text_of_the_same_values_is_refused(text):
    with pytest.raises(ValueError, match="is not written in its canonical form"):
        canonical_json.parse_written(text, indent=None)


def test_rfc_8785_has_one_number_for_10_and_10_0():
    assert canonical_json.encode({"b": 10.0, "a": 10}) == b'{"a":10,"b":10}'
    assert canonical_json.parse_canonical(b'{"a":10,"b":10}') == {"a": 10, "b": 10}
    for text in (
        b'{"a":10,"b":10.0}',
        b'{"b":10,"a":10}',
        b'{"a":10, "b":10}',
        b'{"a":10,"b":9007199254740993}',
    ):
        with pytest.raises(ValueError, match=r"canonical form|exceeds"):
            canonical_json.parse_canonical(text)
