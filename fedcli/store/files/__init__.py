"""Files that the run directory is made of: the disk, durable writes, logs, manifests, arrays, locks."""
