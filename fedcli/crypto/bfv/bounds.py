"""How much noise a sum of ciphertexts carries, and how much of it rounds away.

How the bound on failure comes about. A ciphertext of m is q m / t + e with a small noise e, and is decrypted rightly
where the noise of the sum stays below q / 2t. Its parts:

- shared key: every summand adds a centred binomial of 42 coins (|e| <= 21, sub-Gaussian with proxy 10.5) and 1/2 by
  rounding q m / t.
- public key, two primes: u e_pk + e_0 + e_1 s and 1/2. With c members |s|^2 <= c N and |e_pk|^2 <= 3/2 10.5 c N but for
  a probability below 2^-400 (Hsu, Kakade and Zhang 2012, arXiv:1110.2842), and a ternary u has the proxy 2/3, so
  that of the sum is 10.5 (1 + 2 c N) a summand.
- public key, three primes: this is divided by the last prime, which leaves the rounding r_0 + r_1 s, r uniform
  in [-1/2, 1/2] (proxy 1/12), so the proxy is (1 + c N) / 12 a summand. 3/2 covers q m / t and the divided part.
- the zero that is added at an attempt: u e_pk with u ternary and public: proxy 10.5 c N.
- smudging: at most 2^smudging_bits a member, counted in full.

A sub-Gaussian variable with proxy v exceeds sqrt(2 v ln(2) (b + 1)) with probability below 2^-b; b = 128 here.
"""

from __future__ import annotations

import math

from fedcli.crypto.bfv.seal import Ring

_NOISE_PROXY = 10.5
_LARGEST_NOISE = 21
# SEAL's rounding in residues is inexact by less than this share of q / 2t.
_ROUNDING_SHARE = 2.0**-20


def room(ring: Ring) -> float:
    """The noise that rounds away: q / 2t, but for what the rounding itself may err."""
    # A scaled plaintext is rounded twice: by SEAL to a whole number, then to a multiple of the scale.
    rounding = _ROUNDING_SHARE + (2.0**-ring.scale_bits if ring.scale_bits else 0.0)
    return math.prod(ring.data_primes) / (2 * ring.plain_modulus) * (1 - rounding)


def noise(num_summands: int, degree: int, members: int, *, divided: bool) -> tuple[float, float, float]:
    """Of a sum's noise: what is certain, the proxy of the rest, and the most the rest can be.

    Args:
        num_summands: ciphertexts that are added.
        degree: N.
        members: of the committee; 0 where one key is shared.
        divided: whether fresh ciphertexts are divided by a last prime.
    """
    if not members:
        return num_summands / 2, _NOISE_PROXY * num_summands, float(_LARGEST_NOISE * num_summands)
    squared_key = members * degree
    zero = _NOISE_PROXY * squared_key
    if not divided:
        return num_summands / 2, num_summands * _NOISE_PROXY * (1 + 2 * squared_key) + zero, math.inf
    return 1.5 * num_summands, num_summands * (1 + squared_key) / 12 + zero, math.inf
