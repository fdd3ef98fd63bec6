"""Zero knowledge: a simulator that knows no vector makes valid proofs if it may choose the challenges."""

import hashlib

import numpy as np
import pytest
from proving import CONTEXT, accepted, claim, fixed_draws, refusals
from scipy import stats

from fedcli.crypto.norm_proofs.challenges import batching, claimed, projections, public_b
from fedcli.crypto.norm_proofs.commitments import commit
from fedcli.crypto.norm_proofs.curve import ORDER, combination, encode_points, hash_to_point
from fedcli.crypto.norm_proofs.exact_products import dot
from fedcli.crypto.norm_proofs.generators import generators
from fedcli.crypto.norm_proofs.norm_statement import NormBound, Proof, read_proof
from fedcli.crypto.norm_proofs.prover import prove
from fedcli.crypto.norm_proofs.transcript import Transcript


@pytest.fixture
def programmed(monkeypatch):
    """Challenges that depend on their label only, as if the random oracle's answers were chosen in advance."""

    def chosen(self, label, count):
        return hashlib.shake_256(b"chosen " + label.encode()).digest(count)

    with monkeypatch.context() as patch:
        patch.setattr(Transcript, "bytes", chosen)
        yield patch


def simulated(bound, rows, draw):
    """A proof about committed rows that nobody knows: all values are random, and three commitments are solved for."""
    points, terms = generators(bound.columns), bound.terms
    transcript = Transcript()
    weights, x = batching(transcript, bound), transcript.scalar("x")
    public = public_b(bound, projections(transcript, bound), weights, x)
    squares, *masks = (hash_to_point(b"random %d" % index) for index in range(1 + bound.mask_rows))
    limit = bound.response_limit
    responses = tuple(draw(2 * limit + 1) - limit for _ in range(bound.projections))
    a, b = (tuple(draw(ORDER) for _ in range(bound.columns)) for _ in range(2))
    opened = (draw(ORDER), draw(ORDER), draw(ORDER))

    def at(power):
        return pow(x, power, ORDER)

    known = [*rows, squares, *masks]
    vectors = [*points.columns, points.blinding]
    blind_a = combination([*vectors, *known], [*a, opened[0], *(-at(i) for i in range(1, terms + 1))])
    shown = combination(
        [*vectors, *rows, squares], [*b, opened[1], *(-at(-j) for j in range(1, len(rows) + 2))]
    )
    blind_b = combination([shown], [at(terms + 1)])
    coefficients = {power: hash_to_point(b"coefficient %d" % power) for power in bound.exponents}
    others = [power for power in bound.exponents if power != 1]
    value = dot(a, [(secret + seen) % ORDER for secret, seen in zip(b, public, strict=True)])
    value -= claimed(bound, weights, responses)
    rest = combination(
        [points.value, points.blinding, *(coefficients[power] for power in others)],
        [value, opened[2], *(-at(power) for power in others)],
    )
    coefficients[1] = combination([rest], [at(-1)])
    first, second = encode_points([squares]), encode_points(masks)
    blinds, product = encode_points([blind_a, blind_b]), encode_points(coefficients.values())
    return Proof(first, second, responses, blinds, product, a, b, opened)


@pytest.mark.parametrize("size", [3, 30])
def test_a_simulator_without_a_vector_makes_proofs_that_hold_for_chosen_challenges(programmed, size):
    bound = NormBound(size, 10)
    rows = [hash_to_point(b"row %d" % index) for index in range(bound.rows)]
    proof = simulated(bound, rows, fixed_draws(b"simulator")).encode(bound)
    commitment = encode_points(rows).encoded
    accepted(bound, commitment, proof)
    # Where the hash answers for itself the same proof is worth nothing.
    programmed.undo()
    assert "does not hold" in refusals(bound, commitment, proof)


def test_honest_proofs_hold_for_chosen_challenges_too(programmed):
    bound, commitment, _, proof = claim([1, 2, 3])
    accepted(bound, commitment.encoded, proof)


def test_masked_projections_follow_one_law_whatever_the_vector_is():
    # With the challenges of a hash: uniform in [-(Zm - V), Zm - V] for zeros and for the largest entries alike.
    for vector in ([0, 0, 0, 0], [1 << 24, 1 << 24, 1 << 24, 1 << 24]):
        bound = NormBound(4, 1 << 50)
        draw = fixed_draws(b"law")
        commitment, opening = commit(np.array(vector), draw)
        proofs = [read_proof(bound, prove(bound, commitment, opening, CONTEXT, draw)) for _ in range(4)]
        drawn = np.array([z / bound.response_limit for proof in proofs for z in proof.responses])
        assert stats.kstest((drawn + 1) / 2, "uniform").pvalue > 1e-3
