"""The run directory: its layout, its files, and what writes and reads them."""
