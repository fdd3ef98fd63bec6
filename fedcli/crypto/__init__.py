"""Cryptography on bytes, integers and arrays: encrypted sums, masked sums, norm proofs and noise.

Nothing here knows a run, a round or a strategy, so that each scheme can be read, tested and reviewed alone. Roles are
named as in the papers: parties, members of a committee, provers, verifiers, and a server that adds without a key.
"""
