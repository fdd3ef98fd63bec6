"""Bounds on the noise of a sum of ciphertexts, and on the noise that decryption tolerates.

A ciphertext of m is q m / t + e with a small noise e. It is decrypted correctly if the noise of the sum stays below
q / 2t. The parts of that noise, for c members, N coefficients and 42 coins a noise value:

- Shared key: every summand adds a centred binomial (|e| <= 21, sub-Gaussian with variance proxy 10.5), and 1/2 from
  rounding q m / t.
- Public key: u e_pk + e_0 + e_1 s, at most 21 (2 c N + 1), is divided by the last prime of 38 bits, which leaves less
  than 1/2 of it. The division rounds: r_0 + r_1 s with r in [-1/2, 1/2], at most (1 + c N) / 2, because no coefficient
  of s is beyond c. Each summand adds this, 1/2 from rounding q m / t, and the 1/2 that the division leaves.
- The encryption of zero that is added at an attempt: u e_pk with a ternary u, at most 21 c N.
- Smudging: at most 2^smudging_bits for each member, counted in full.

Where the largest values of all these fit, no outcome of the coins decrypts wrongly, and nothing is a matter of
probability. Where they do not, the random parts count as sub-Gaussian: a variable with proxy v exceeds
sqrt(2 v ln(2) (b + 1)) with probability below 2^-b; b = 128 here. A uniform r has the proxy 1/12 and a ternary u 2/3;
|s|^2 <= c N and |e_pk|^2 <= 3/2 10.5 c N, except with a probability below 2^-400 (Hsu, Kakade and Zhang 2012,
arXiv:1110.2842). So the proxies are (1 + c N) / 12 for each summand and 10.5 c N for the zero.

What smudging hides: a coefficient of an answer with noise uniform in [-2^b, 2^b) is within a statistical distance of
|e| / 2^(b + 1) of one in which the noise e of the sum is left out. Distances add up over the coefficients of every
attempt of every sum of a run. One answer an attempt is counted, because the other answers of a set do not depend on e:
the sum and they determine it.
"""

from __future__ import annotations

import math

from fedcli.crypto.bfv.seal import Ring

_NOISE_PROXY = 10.5  # of SEAL's centred binomial noise: 42 coins, a quarter each
_LARGEST_NOISE = 21
# SEAL rounds in residues, with an error below this share of q / 2t.
_ROUNDING_SHARE = 2.0**-20


def room(ring: Ring) -> float:
    """The largest noise that decryption removes: q / 2t, less the error of the rounding itself."""
    return math.prod(ring.data_primes) / (2 * ring.plain_modulus) * (1 - _ROUNDING_SHARE)


def noise(num_summands: int, degree: int, members: int) -> tuple[float, float, float]:
    """Noise of a sum: its certain part, the variance proxy of its random part, and the random part's maximum.

    Args:
        num_summands: ciphertexts that are added.
        degree: N.
        members: size of the committee; 0 where one key is shared.
    """
    if not members:
        return num_summands / 2, _NOISE_PROXY * num_summands, float(_LARGEST_NOISE * num_summands)
    # Every coefficient of s is at most `members` in size; |s|^2 exceeds this with a probability below 2^-400 only.
    key = members * degree
    largest = num_summands * (1 + key) / 2 + _LARGEST_NOISE * key
    return float(num_summands), num_summands * (1 + key) / 12 + _NOISE_PROXY * key, largest
