"""Makes the test vectors of docs/proof-format.md again, byte for byte: `python verifiers/make_vectors.py`.

All randomness is SHAKE256 of a seed and a count, so every run writes the same files. Nothing here may be used for
commitments that have to hide something.
"""

import copy
import hashlib
import json
import struct
import sys
from pathlib import Path

import numpy as np
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from fedcli.components.attacks.forged_proof import forged_proof
from fedcli.components.proofs.context import ProofContext, Terms
from fedcli.crypto.norm_proofs import challenges
from fedcli.crypto.norm_proofs.commitments import add, commit
from fedcli.crypto.norm_proofs.curve import (
    DOMAIN,
    GROUP,
    ORDER,
    combination,
    encode_points,
    encode_scalars,
)
from fedcli.crypto.norm_proofs.exact_products import dot
from fedcli.crypto.norm_proofs.generators import generator_labels, generators
from fedcli.crypto.norm_proofs.norm_statement import NormBound, read_proof
from fedcli.crypto.norm_proofs.prover import prove
from fedcli.crypto.norm_proofs.transcript import Transcript

FOLDER = Path(__file__).parent / "vectors"
FIELD = 0x1A0111EA397FE69A4B1BA7B6434BACD764774B84F38512BF6730D2A0F6B0F6241EABFFFEB153FFFFB9FEFFFFFFFFAAAB
SIZES = (1, 5, 17, 2410)


def fixed_draws(seed):
    """A function `bound` -> integer in [0, bound): SHAKE256 of the seed, a space and a count."""
    count = 0

    def draw(bound):
        nonlocal count
        count += 1
        size = (bound.bit_length() + 7) // 8 + 16
        return int.from_bytes(hashlib.shake_256(b"%s %d" % (seed, count)).digest(size), "big") % bound

    return draw


def scalars(values):
    """Each scalar as 64 hexadecimal digits."""
    return [encode_scalars([value]).hex() for value in values]


def points(values):
    """Each point as 96 hexadecimal digits."""
    return [encode_points([value]).encoded.hex() for value in values]


def statement(bound):
    """The public numbers of a statement; those that may pass 2^53 as decimal strings."""
    return {
        "size": bound.size,
        "squared": str(bound.squared),
        "projections": bound.projections,
        "columns": bound.columns,
        "rows": bound.rows,
        "mask_rows": bound.mask_rows,
        "terms": bound.terms,
        "largest_projection": str(bound.largest_projection),
        "mask_limit": str(bound.mask_limit),
        "response_limit": str(bound.response_limit),
        "response_bytes": bound.response_bytes,
        "commitment_bytes": 48 * bound.rows,
        "proof_bytes": bound.proof_bytes,
    }


def made_generators():
    """The labels and points of 4 columns, and the digests of wider rows."""
    four = generators(4)
    return {
        "domain": DOMAIN.decode(),
        "group": GROUP,
        "order": f"{ORDER:064x}",
        "columns_4": dict(
            zip(
                [label.decode() for label in generator_labels(4)],
                points([*four.columns, four.blinding, four.value]),
                strict=True,
            )
        ),
        "digests": {str(columns): generators(columns).digest.hex() for columns in (4, 5, 50, 211)},
    }


def made_transcript():
    """A transcript of three messages, with the state after each and challenges of both kinds."""
    transcript, steps = Transcript(), []
    for label, message in (("protocol", b"example"), ("", b""), ("context", bytes(range(200)))):
        transcript = transcript.absorb(label, message)
        steps.append({"label": label, "message": message.hex(), "state": transcript.state.hex()})
    return {
        "start": Transcript().state.hex(),
        "steps": steps,
        "bytes": {"label": "projections", "count": 70, "value": transcript.bytes("projections", 70).hex()},
        "scalars": {label: scalars([transcript.scalar(label)])[0] for label in ("gamma", "x")},
    }


def made_proof(size):
    """A true proof with every value between the bytes and the verdict."""
    draw = fixed_draws(b"vectors %d" % size)
    largest = 40 if size > 100 else 3000
    vector = np.array([draw(2 * largest + 1) - largest for _ in range(size)], np.int64)
    bound = NormBound(size, int(vector @ vector) + 1234)
    context = f"vector of {size}".encode()
    commitment, opening = commit(vector, draw)
    proof = prove(bound, commitment, opening, context, draw)
    return {
        "statement": statement(bound),
        "context": context.hex(),
        "commitment": commitment.encoded.hex(),
        "proof": proof.hex(),
        "secret": {"vector": vector.tolist(), "blindings": scalars(opening.blindings)},
        **between(bound, commitment, proof, context),
    }


def between(bound, commitment, proof, context):
    """What a verifier computes: transcript states, challenges, b(x), and both sides of the three equations."""
    base, said = generators(bound.columns), read_proof(bound, proof)
    states = {}
    transcript = challenges.begin(bound, commitment, context, base.digest)
    states["commitment"] = transcript.state.hex()
    transcript = challenges.absorb_masks(transcript, said.squares, said.masks)
    states["masks"] = transcript.state.hex()
    chosen = challenges.projections(transcript, bound)
    bits = transcript.bytes("projections", -(-bound.projections * (bound.rows + 1 + bound.columns) // 8))
    transcript = challenges.absorb_responses(transcript, bound, said.responses)
    states["responses"] = transcript.state.hex()
    weights = challenges.batching(transcript, bound)
    gamma = transcript.scalar("gamma")
    transcript = challenges.absorb_coefficients(transcript, said.blinds, said.coefficients)
    states["coefficients"] = transcript.state.hex()
    x = transcript.scalar("x")
    public = challenges.public_b(bound, chosen, weights, x)
    product = dot(said.a, [(b + p) % ORDER for b, p in zip(said.b, public, strict=True)])
    claimed = challenges.claimed(bound, weights, said.responses)
    rows = [*commitment.points, *said.squares.points]

    def at(power):
        return pow(x, power, ORDER)

    def opened(values, blinding):
        return combination([*base.columns, base.blinding], [*values, blinding])

    return {
        "states": states,
        "projections": {
            "bytes": bits.hex(),
            "first_rows": "".join(map(str, chosen.rows[0])),
            "first_columns": "".join(map(str, chosen.columns[0])),
            "last_rows": "".join(map(str, chosen.rows[-1])),
            "last_columns": "".join(map(str, chosen.columns[-1])),
        },
        "responses": [str(response) for response in said.responses[:3]],
        "gamma": scalars([gamma])[0],
        "alpha": scalars([weights.alpha])[0],
        "omega": scalars([weights.omega])[0],
        "x": scalars([x])[0],
        "public_b": scalars(public),
        "product": scalars([product])[0],
        "claimed": scalars([claimed])[0],
        "equations": {
            "a": [
                *points([combination([said.blinds.points[0], *rows, *said.masks.points],
                                     [at(i) for i in range(bound.terms + 1)])]),
                *points([opened(said.a, said.blindings[0])]),
            ],
            "b": [
                *points([combination([*rows, said.blinds.points[1]],
                                     [*(at(-j) for j in range(1, bound.rows + 2)), at(-bound.terms - 1)])]),
                *points([opened(said.b, said.blindings[1])]),
            ],
            "product": [
                *points([combination([base.value, *said.coefficients.points],
                                     [claimed, *(at(power) for power in bound.exponents)])]),
                *points([combination([base.value, base.blinding], [product, said.blindings[2]])]),
            ],
        },
    }  # fmt: skip


def made_sums():
    """Sums of three commitments with their openings: a true one, and some that must be refused."""
    draw = fixed_draws(b"vectors sum")
    size = 17
    vectors = [np.array([draw(2001) - 1000 for _ in range(size)], np.int64) for _ in range(3)]
    made = [commit(vector, draw) for vector in vectors]
    total = add([commitment for commitment, _ in made])
    blindings = [sum(row) % ORDER for row in zip(*(opening.blindings for _, opening in made), strict=True)]
    true = {
        "commitments": [commitment.encoded.hex() for commitment, _ in made],
        "vector": sum(vectors).tolist(),
        "blindings": scalars(blindings),
    }
    one_more = [true["vector"][0] + 1, *true["vector"][1:]]
    swapped = [true["vector"][1], true["vector"][0], *true["vector"][2:]]
    beyond = f"{blindings[0] + ORDER:064x}"
    false = [
        ("equation", "one entry is larger by 1", {"vector": one_more}),
        ("equation", "two entries are swapped", {"vector": swapped}),
        ("equation", "a blinding is larger by 1",
         {"blindings": [scalars([blindings[0] + 1])[0], *true["blindings"][1:]]}),
        ("equation", "a commitment is left out", {"commitments": true["commitments"][:2]}),
        ("equation", "a commitment is counted twice",
         {"commitments": [*true["commitments"], true["commitments"][0]]}),
        ("equation", "two rows of a commitment are swapped",
         {"commitments": [true["commitments"][0][96:192] + true["commitments"][0][:96]
                          + true["commitments"][0][192:], *true["commitments"][1:]]}),
        ("scalar", "a blinding is not below the order", {"blindings": [beyond, *true["blindings"][1:]]}),
        ("length", "a blinding is missing", {"blindings": true["blindings"][:-1]}),
        ("length", "a commitment lacks its last row",
         {"commitments": [true["commitments"][0][:-96], *true["commitments"][1:]]}),
        ("length", "there is no commitment", {"commitments": []}),
        ("range", "an entry is 2^62", {"vector": [str(1 << 62), *true["vector"][1:]]}),
    ]  # fmt: skip
    return {
        "true": {**true, "total": points(total.points)},
        "false": [{"reason": reason, "why": why, **true, **change} for reason, why, change in false],
    }


def forged_of(bound, vector):
    """A vector that is too long, and a proof that holds modulo the order but for the projections."""
    draw = fixed_draws(b"vectors forged")
    commitment, opening = commit(vector, draw)
    context = b"vector of 5"
    return commitment.encoded.hex(), forged_proof(bound, commitment.encoded, opening, context, draw).hex()


def made_false(proofs):
    """Proofs that must be refused: changes of the true one of 5 integers, and a forged one."""
    true = proofs[5]
    bound = NormBound(5, int(true["statement"]["squared"]))
    proof, commitment = bytes.fromhex(true["proof"]), bytes.fromhex(true["commitment"])
    at = places(bound)
    top = bytes.fromhex("c0") + bytes(47)

    def flipped(data, place, bit=0):
        return data[:place] + bytes([data[place] ^ (1 << bit)]) + data[place + 1 :]

    def put(data, place, new):
        return data[:place] + new + data[place + len(new) :]

    def response(value):
        return (value % (1 << (8 * bound.response_bytes))).to_bytes(bound.response_bytes, "big")

    def negated(data, place):
        return flipped(data, place, 5)

    scalar_at = {name: at["a"] + 32 * shift for name, shift in
                 {"a": 0, "b": bound.columns, "a blinding": 2 * bound.columns,
                  "b blinding": 2 * bound.columns + 1, "product blinding": 2 * bound.columns + 2}.items()}  # fmt: skip
    first = int.from_bytes(proof[scalar_at["a"] : scalar_at["a"] + 32], "big")
    in_field = next(proof[p : p + 48] for p in range(0, at["responses"], 48))
    x = int.from_bytes(bytes([in_field[0] & 0x1F]) + in_field[1:], "big")
    others = {size: bytes.fromhex(proofs[size]["commitment"]) for size in (1, 17)}
    forged_commitment, forged = forged_of(NormBound(5, 100), np.array([300, -300, 300, 300, -300]))
    listed = [
        ("a", "the bound is smaller by 1", {"squared": str(bound.squared - 1)}),
        ("a", "the context has one more byte", {"context": true["context"] + "00"}),
        ("a", "the context has another byte", {"context": flipped(bytes.fromhex(true["context"]), 0).hex()}),
        ("a", "the rows of the commitment are swapped",
         {"commitment": (commitment[48:96] + commitment[:48] + commitment[96:]).hex()}),
        ("a", "a row of the commitment is negated", {"commitment": negated(commitment, 0).hex()}),
        ("a", "a row of the commitment is the neutral point", {"commitment": put(commitment, 0, top).hex()}),
        ("length", "the commitment is to fewer rows", {"commitment": others[1].hex()}),
        ("length", "the commitment is to more rows", {"commitment": others[17].hex()}),
        ("length", "the proof is empty", {"proof": ""}),
        ("length", "the proof lacks its last byte", {"proof": proof[:-1].hex()}),
        ("length", "the proof has one more byte", {"proof": proof.hex() + "00"}),
        ("a", "the statement has one integer more, in the same rows", {"size": 6}),
        ("length", "the statement has more rows", {"size": 9}),
        ("length", "the statement has fewer projections", {"projections": 308}),
        ("point", "a point without the flag of compression", {"proof": flipped(proof, 0, 7).hex()}),
        ("point", "the neutral point with the flag of the larger root",
         {"proof": put(proof, 0, b"\xe0" + bytes(47)).hex()}),
        ("point", "the neutral point with another byte",
         {"proof": put(proof, 0, b"\xc0" + bytes(46) + b"\x01").hex()}),
        ("point", "a coordinate that is not below the field's order",
         {"proof": put(proof, 0, bytes([0x80 | (FIELD >> 376)]) + FIELD.to_bytes(48, "big")[1:]).hex()}),
        ("point", "a coordinate plus the field's order, of the same point",
         {"proof": put(proof, *congruent(proof, at)).hex()}),
        ("point", "a coordinate of no point of the curve",
         {"proof": put(proof, 0, off_the_curve(x)).hex()}),
        ("point", "a point of the curve outside the subgroup",
         {"proof": put(proof, 0, outside_the_subgroup()).hex()}),
        ("point", "the point (0, 2), of order 3", {"proof": put(proof, 0, b"\x80" + bytes(47)).hex()}),
        ("point", "a point of the commitment outside the subgroup",
         {"commitment": put(commitment, 48, outside_the_subgroup()).hex()}),
        ("response", "a masked projection that is one beyond its limit",
         {"proof": put(proof, at["responses"], response(bound.response_limit + 1)).hex()}),
        ("response", "a masked projection that is one beyond its negative limit",
         {"proof": put(proof, at["responses"], response(-bound.response_limit - 1)).hex()}),
        ("response", "a masked projection at the limit of its bytes",
         {"proof": put(proof, at["responses"], b"\x7f" + b"\xff" * (bound.response_bytes - 1)).hex()}),
        ("scalar", "a scalar that is the order", {"proof": put(proof, at["a"], ORDER.to_bytes(32, "big")).hex()}),
        ("scalar", "a scalar plus the order",
         {"proof": put(proof, at["a"], (first + ORDER).to_bytes(32, "big")).hex()}),
        ("scalar", "a blinding of 256 ones", {"proof": put(proof, at["end"] - 32, b"\xff" * 32).hex()}),
        ("a", "the point of the squares is negated", {"proof": negated(proof, 0).hex()}),
        ("a", "a row of masks is negated", {"proof": negated(proof, 48).hex()}),
        ("a", "a masked projection is larger by 1",
         {"proof": put(proof, at["responses"],
                       response(int(true["responses"][0]) + 1)).hex()}),
        ("a", "the blind of a(X) is negated", {"proof": negated(proof, at["blinds"]).hex()}),
        ("a", "the blinds are exchanged",
         {"proof": put(proof, at["blinds"],
                       proof[at["blinds"] + 48 : at["blinds"] + 96] + proof[at["blinds"] : at["blinds"] + 48]).hex()}),
        ("a", "a coefficient is negated", {"proof": negated(proof, at["coefficients"]).hex()}),
        ("a", "the lowest bit of a(x)", {"proof": flipped(proof, scalar_at["a"] + 31).hex()}),
        ("b", "the lowest bit of b(x)", {"proof": flipped(proof, scalar_at["b"] + 31).hex()}),
        ("a", "the lowest bit of the blinding of a(x)", {"proof": flipped(proof, scalar_at["a blinding"] + 31).hex()}),
        ("b", "the lowest bit of the blinding of b(x)", {"proof": flipped(proof, scalar_at["b blinding"] + 31).hex()}),
        ("product", "the lowest bit of the blinding of the product",
         {"proof": flipped(proof, scalar_at["product blinding"] + 31).hex()}),
        ("product", "a vector that is too long by far: its squares wrap around modulo the order",
         {"squared": "100", "commitment": forged_commitment, "proof": forged}),
    ]  # fmt: skip
    return {
        "of": "proof-5.json",
        "false": [{"reason": reason, "why": why, **as_edits(true, change)} for reason, why, change in listed],
    }


def as_edits(true, change):
    """A long string as the part that differs from the true one: {"at": place in bytes, "cut": bytes, "put": hex}."""
    short = copy.copy(change)
    for name in ("commitment", "proof"):
        if name not in change:
            continue
        old, new = bytes.fromhex(true[name]), bytes.fromhex(change[name])
        most = min(len(old), len(new))
        head = next((i for i in range(most) if old[i] != new[i]), most)
        tail = next((i for i in range(most - head) if old[-1 - i] != new[-1 - i]), most - head)
        short[name] = {"at": head, "cut": len(old) - head - tail, "put": new[head : len(new) - tail].hex()}
    return short


def places(bound):
    """Where the parts of a proof begin."""
    responses = 48 * (1 + bound.mask_rows)
    blinds = responses + bound.projections * bound.response_bytes
    coefficients = blinds + 96
    return {
        "responses": responses,
        "blinds": blinds,
        "coefficients": coefficients,
        "a": coefficients + 96 * bound.terms,
        "end": bound.proof_bytes,
    }


def on_curve(x):
    """Whether x is the coordinate of a point: x^3 + 4 is a square."""
    return pow(x**3 + 4, (FIELD - 1) // 2, FIELD) == 1


def off_the_curve(x):
    """A coordinate near x of no point, in the form of a point."""
    near = next(y for y in range(x + 1, FIELD) if not on_curve(y))
    return bytes([0x80 | near >> 376]) + near.to_bytes(48, "big")[1:]


def outside_the_subgroup():
    """A small coordinate of a point that is on the curve; only one in 2^125 of those is in the subgroup."""
    near = next(y for y in range(1, 99) if on_curve(y))
    return bytes([0x80 | near >> 376]) + near.to_bytes(48, "big")[1:]


def congruent(proof, at):
    """The place of a point of the proof whose coordinate leaves room for the field's order, and the point with it."""
    for place in [*range(0, at["responses"], 48), *range(at["blinds"], at["a"], 48)]:
        x = int.from_bytes(bytes([proof[place] & 0x1F]) + proof[place + 1 : place + 48], "big") + FIELD
        if x < 1 << 381:
            return place, bytes([proof[place] & 0xE0 | x >> 376]) + x.to_bytes(48, "big")[1:]
    raise ValueError("no point of the proof has a small coordinate")


def double(number):
    """A number of 64 bits as IEEE 754 has it, 16 hexadecimal digits."""
    return struct.pack(">d", number).hex()


def made_contexts():
    """Contexts of both protocols as fields and as bytes, with numbers in every form that they can have."""
    digest, model, config = bytes(range(32)), bytes.fromhex("00ff" * 16), bytes(range(32, 64))
    run = "5b66213ab1c78f031672c3c0d47119cf"
    cases = []
    for protocol, about, clip_norm, client, weight in (
        (1, "update", 10.0, 0, 1.0),
        (1, "noise", 0.1, 7, 1 / 3),
        (1, "update", 1e-05, 99, 0.001),
        (1, "update", 1e16, 3, 0.0),
        (1, "update", 123456789012345680.0, 3, 0.592),
        (1, "central noise", 1e15, None, None),
        (2, "update", 10.0, 0, 1.0),
        (2, "noise", 0.1, 7, 1 / 3),
        (2, "update", 1e-05, 99, 0.001),
        (2, "update", 1e-07, 3, 0.0),
        (2, "central noise", 1e21, None, None),
    ):
        is_server, is_new = client is None, protocol == 2
        cohort, contributors = (0, 3, 7, 12, 99), (0, 7, 99)
        examples = None if is_server else round(1000 * weight)
        terms = Terms(config, 100, cohort, 1000) if is_new else None
        said = ProofContext(run, 2, model, clip_norm, 20, terms)
        added = contributors if is_server else None
        encoded = said.encode(
            about, digest, client=client, weight=weight, num_examples=examples, contributors=added
        )
        fields = {
            "protocol": protocol,
            "run": run,
            "round": 2,
            "model": model.hex(),
            "clip_norm": double(clip_norm),
            "bits": 20,
            "about": about,
            "digest": digest.hex(),
            "client": client,
            "weight": None if weight is None else double(weight),
        }
        if is_new:
            fields |= {
                "config": config.hex(),
                "num_clients": 100,
                "cohort": cohort,
                "max_examples": 1000,
                "num_examples": examples,
                "contributors": added,
            }
        cases.append({"fields": fields, "text": encoded.decode()})
    return {"contexts": cases}


def made_signatures():
    """Signatures of a client and of the server, by keys that are no secret; and false ones."""
    digests = [hashlib.sha256(b"%d" % index).digest() for index in range(4)]
    cases, order = [], 2**252 + 27742317777372353535851937790883648493
    for whose, message in (
        ("client, one proof", b"fedcli client 2\n" + b"".join(digests[:2])),
        ("client, update and noise", b"fedcli client 2\n" + b"".join(digests)),
        ("server", b"fedcli head 2\n" + digests[0]),
    ):
        key = Ed25519PrivateKey.from_private_bytes(hashlib.sha256(whose.encode()).digest())
        public, signature = key.public_key().public_bytes_raw(), key.sign(message)
        again = int.from_bytes(signature[32:], "little") + order
        false = {
            "another message": (public, message + b"\0", signature),
            "another key": (hashlib.sha256(public).digest(), message, signature),
            "S is not below the order": (public, message, signature[:32] + again.to_bytes(32, "little")),
            "a bit of R": (public, message, bytes([signature[0] ^ 1]) + signature[1:]),
        }
        cases.append({"why": whose, "holds": True, **signed(public, message, signature)})
        if whose == "server":
            # S is 0 and R the neutral point: it holds for every message if such a key is allowed.
            constant = b"\x01" + bytes(63)
            false["the neutral point as a key"] = (constant[:32], message, constant)
            twice = (2**255 - 18).to_bytes(32, "little")
            false["the neutral point in another encoding as a key"] = (twice, message, constant)
        cases += [{"why": f"{whose}: {why}", "holds": False, **signed(*case)} for why, case in false.items()]
    return {"signatures": cases}


def signed(public, message, signature):
    """A key, a message and a signature, in hexadecimal."""
    return {"key": public.hex(), "message": message.hex(), "signature": signature.hex()}


def made():
    """All files by name, as text."""
    proofs = {size: made_proof(size) for size in SIZES}
    files = {f"proof-{size}.json": content for size, content in proofs.items()}
    files |= {
        "generators.json": made_generators(),
        "transcript.json": made_transcript(),
        "sums.json": made_sums(),
        "false.json": made_false(proofs),
        "contexts.json": made_contexts(),
        "signatures.json": made_signatures(),
    }
    return {name: json.dumps(content, indent=1) + "\n" for name, content in files.items()}


def main():
    """Write the files."""
    FOLDER.mkdir(exist_ok=True)
    for name, text in made().items():
        (FOLDER / name).write_text(text, encoding="utf-8")
        sys.stdout.write(f"{name}  {len(text):,} bytes\n")


if __name__ == "__main__":
    main()
