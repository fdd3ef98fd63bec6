"""Bounds on the noise of a sum of ciphertexts, and on the noise that decryption tolerates.

Plans use them to keep the probability of a wrong decryption below 2^-128. A ciphertext of m is q m / t + e with a small
noise e. It is decrypted correctly if the noise of the sum stays below q / 2t. The parts of that noise:

- Shared key: every summand adds a centred binomial of 42 coins (|e| <= 21, sub-Gaussian with variance proxy 10.5), and
  1/2 from rounding q m / t.
- Public key, two primes: u e_pk + e_0 + e_1 s, and 1/2. With c members, |s|^2 <= c N and |e_pk|^2 <= 3/2 10.5 c N,
  except with a probability below 2^-400 (Hsu, Kakade and Zhang 2012, arXiv:1110.2842). A ternary u has the proxy 2/3.
  Together the proxy is 10.5 (1 + 2 c N) for each summand.
- Public key, three primes: the noise above is divided by the last prime, which leaves the rounding r_0 + r_1 s with r
  uniform in [-1/2, 1/2] (proxy 1/12). So the proxy is (1 + c N) / 12 for each summand; 3/2 covers the rounding of
  q m / t and the divided noise.
- The encryption of zero that is added at an attempt: u e_pk with u ternary and public, with the proxy 10.5 c N.
- Smudging: at most 2^smudging_bits for each member, counted in full.

A sub-Gaussian variable with proxy v exceeds sqrt(2 v ln(2) (b + 1)) with probability below 2^-b; b = 128 here.
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
    # A scaled plaintext is rounded twice: by SEAL to an integer, then to a multiple of the scale.
    rounding = _ROUNDING_SHARE + (2.0**-ring.scale_bits if ring.scale_bits else 0.0)
    return math.prod(ring.data_primes) / (2 * ring.plain_modulus) * (1 - rounding)


def noise(num_summands: int, degree: int, members: int, *, divided: bool) -> tuple[float, float, float]:
    """Noise of a sum: its certain part, the variance proxy of its random part, and the random part's maximum.

    Args:
        num_summands: ciphertexts that are added.
        degree: N.
        members: size of the committee; 0 where one key is shared.
        divided: whether fresh ciphertexts are divided by a last prime.
    """
    if not members:
        return num_summands / 2, _NOISE_PROXY * num_summands, float(_LARGEST_NOISE * num_summands)
    # |s|^2 for the sum of the members' ternary keys; exceeded with a probability below 2^-400 only.
    squared_key = members * degree
    zero = _NOISE_PROXY * squared_key
    if not divided:
        return num_summands / 2, num_summands * _NOISE_PROXY * (1 + 2 * squared_key) + zero, math.inf
    return 1.5 * num_summands, num_summands * (1 + squared_key) / 12 + zero, math.inf
