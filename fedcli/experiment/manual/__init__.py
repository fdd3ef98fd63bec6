"""The manual: what `fedcli docs` and the reference pages say of components, keys, columns and terms.

Nothing is written down twice: a component's page is made of its docstring and signature, a key's of the schema, a
column's of its declaration.
"""

from fedcli.experiment.manual.column_page import column_pages
from fedcli.experiment.manual.component_page import NOUNS, component_page, component_pages, custom_page
from fedcli.experiment.manual.examples import example_of
from fedcli.experiment.manual.key_page import key_pages
from fedcli.experiment.manual.look_up import look_up
from fedcli.experiment.manual.manual_page import Described, Page

__all__ = [
    "NOUNS",
    "Described",
    "Page",
    "column_pages",
    "component_page",
    "component_pages",
    "custom_page",
    "example_of",
    "key_pages",
    "look_up",
]
