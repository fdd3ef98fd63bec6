"""Guards around the curve libraries: inputs that they would accept by mistake, and errors if they are missing."""

import subprocess
import sys

import numpy as np
import pytest
from py_arkworks_bls12381 import G1Point, Scalar

from fedcli.core.errors import ConfigError
from fedcli.crypto.norm_proofs import curve, second_curve, second_verifier
from fedcli.crypto.norm_proofs.commitments import commit

BASE = G1Point()


def test_lists_of_unequal_length_are_refused_where_the_library_truncates_them():
    assert G1Point.multiexp_unchecked([BASE, BASE], [Scalar(2)]) == BASE * Scalar(2)
    with pytest.raises(ValueError, match="2 points and 1 coefficients"):
        curve.combination([BASE, BASE], [2])


def test_negative_coefficients_are_reduced_where_the_library_refuses_them():
    with pytest.raises(OverflowError):
        Scalar(-1)
    assert curve.combination([BASE, BASE], [-1, curve.ORDER + 1]) == curve.identity()
    assert curve.combination([], []) == curve.identity()


@pytest.mark.parametrize("coefficient", [0, 1, 255, 256, curve.ORDER - 1, curve.ORDER, -5, 1 << 200])
def test_a_fixed_base_multiplies_as_the_library_does(coefficient):
    point = BASE * Scalar(77)
    assert curve.fixed_base(point)(coefficient) == point * Scalar(coefficient % curve.ORDER)


def test_the_order_is_the_groups():
    assert BASE * Scalar(curve.ORDER - 1) == -BASE
    assert int(Scalar(curve.ORDER + 3)) == 3


def test_points_and_scalars_survive_their_encoding():
    points = [BASE, -BASE, curve.identity(), curve.hash_to_point(b"x")]
    encoded = curve.encode_points(points)
    assert curve.decode_points(encoded.encoded, name="p") == encoded
    assert list(encoded.points) == points
    scalars = (0, 1, curve.ORDER - 1, 1 << 200)
    assert curve.decode_scalars(curve.encode_scalars(scalars), name="s") == scalars


def test_errors_name_the_place():
    with pytest.raises(curve.ProofError, match=r"p\[1\] is not a point"):
        curve.decode_points(curve.encode_points([BASE]).encoded + bytes(48), name="p")
    with pytest.raises(curve.ProofError, match=r"s\[1\] is not below the order"):
        curve.decode_scalars(bytes(32) + curve.ORDER.to_bytes(32, "big"), name="s")
    with pytest.raises(curve.ProofError, match="p: 47 bytes are not a multiple of 48"):
        curve.decode_points(bytes(47), name="p")
    with pytest.raises(curve.ProofError, match="s: 33 bytes are not a multiple of 32"):
        curve.decode_scalars(bytes(33), name="s")


def off_the_subgroup():
    """(0, 2) and (0, -2): points of the curve of order 3."""
    return [bytes([flags]) + bytes(47) for flags in (0x80, 0xA0)]


@pytest.mark.parametrize("places", [[0], [700], [3, 4], [9, 10, 600, 601]], ids=str)
@pytest.mark.parametrize("count", [20, 520, 702])
def test_points_off_the_subgroup_are_refused_among_few_and_many(places, count):
    places = sorted({place % count for place in places})
    encoded = [curve.encode_points([BASE * Scalar(factor)]).encoded for factor in range(count)]
    assert len(curve.decode_points(b"".join(encoded), name="p").points) == count
    for index, place in enumerate(places):
        encoded[place] = off_the_subgroup()[index % 2]
    with pytest.raises(curve.ProofError, match=rf"p\[{places[0]}\] is not a point of the group"):
        curve.decode_points(b"".join(encoded), name="p")


def test_points_off_the_subgroup_whose_sum_is_in_it_are_found():
    bad = [G1Point.from_compressed_bytes_unchecked(data) for data in off_the_subgroup()]
    assert sum(bad, curve.identity()) == curve.identity()
    honest = [BASE] * 600
    assert curve._all_in_subgroup(honest)
    for wrong in (bad, bad[:1] * 3, bad * 300):
        assert not curve._all_in_subgroup(honest + wrong)


def test_the_second_library_reads_the_same_points():
    for factor in range(1, 40):
        encoded = (BASE * Scalar(factor)).to_compressed_bytes()
        assert second_curve.decode_point(encoded) == second_curve.combination(
            [second_curve.decode_point(BASE.to_compressed_bytes())], [factor]
        )
    assert second_curve.decode_point(curve.identity().to_compressed_bytes()).is_zero()


def test_the_recursion_limit_stays_where_py_ecc_moves_it():
    words = (
        "import sys; before = sys.getrecursionlimit(); from fedcli.crypto.norm_proofs import second_curve; "
        "second_curve.generators(4); assert 'py_ecc' in sys.modules; assert sys.getrecursionlimit() == before"
    )
    subprocess.run([sys.executable, "-c", words], check=True)


@pytest.mark.parametrize(
    ("module", "call"),
    [
        ("py_arkworks_bls12381", lambda: commit(np.array([1]))),
        ("pymcl", lambda: second_verifier.check_sum([bytes(48)], [1], [1])),
        ("py_ecc.bls.hash_to_curve", lambda: second_verifier.check_sum([bytes(48)], [1], [1])),
    ],
    ids=["py_arkworks_bls12381", "pymcl", "py_ecc"],
)
def test_a_missing_library_is_named_with_what_to_install(monkeypatch, module, call):
    from fedcli.crypto.norm_proofs.generators import generators

    monkeypatch.setitem(sys.modules, module, None)
    for cached in (curve.library, generators, second_curve.generators):
        cached.cache_clear()
    with pytest.raises(ConfigError, match=rf"{module.split('.')[0]}(.|\n)*pip install 'fedcli\[proofs\]'"):
        call()
