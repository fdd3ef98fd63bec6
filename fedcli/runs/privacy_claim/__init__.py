"""The privacy claim of a run as a document to hand on, made from the files of the run after they were verified.

Its sections answer what NIST SP 800-226 (Near et al. 2025, doi:10.6028/NIST.SP.800-226) asks of such a claim.
"""

from fedcli.runs.privacy_claim.claim import PrivacyClaim, read_claim
from fedcli.runs.privacy_claim.claim_document import claim_document
from fedcli.runs.privacy_claim.claim_page import claim_page

__all__ = ["PrivacyClaim", "claim_document", "claim_page", "read_claim"]
