"""A run directory before its first round."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fedcli.core.errors import ConfigError
from fedcli.core.metrics import jsonable
from fedcli.core.types import Tree
from fedcli.store import secrets
from fedcli.store.directory import CHECKPOINTS, CONFIG, ENCRYPTION, ENVIRONMENT, LOGS, MODEL, refuse_existing
from fedcli.store.files import limits
from fedcli.store.files.disk import LOCAL, Disk, ExplainedDisk
from fedcli.store.new_folder import new_folder


def create_run(
    folder: Path,
    *,
    config: str,
    environment: Mapping[str, Any],
    model: bytes | None = None,
    encryption: Mapping[str, Any] | None = None,
    data_key: bytes | None = None,
    keys: Tree | None = None,
    identities: bytes | None = None,
    disk: Disk = LOCAL,
) -> None:
    """Make a run directory. A process that is killed leaves a complete one or none.

    Args:
        folder: where.
        config: the resolved config.
        environment: what the bits of the results depend on.
        model: the content of model.json, what the model's inputs and outputs mean.
        encryption: how updates are encrypted, and what each party sees.
        data_key: the key of the noise on the clients' data; it goes into secret/, which must not be shared.
        keys: the encryption keys, if the run keeps them; they go into secret/ as well.
        identities: the secret of the parties' signing keys, which goes there too.
        disk: where it is written.

    Raises:
        FolderTaken: if `folder` exists, or another process is making it.
        ConfigError: if it cannot be made, or the config could not be read again.
        DiskError: if the disk is full or fails.
    """
    refuse_existing(folder)
    content = config.encode()
    if len(content) > limits.CONFIG:
        raise ConfigError(
            f"the config with all its values has {len(content):,} bytes; a run keeps one of at most {limits.CONFIG:,}.",
            hint="Put data into separate files.",
        )
    with new_folder(folder, disk=disk) as draft:
        disk = ExplainedDisk(disk)
        disk.write(draft / CONFIG, content)
        disk.write(draft / ENVIRONMENT, f"{json.dumps(environment, indent=1)}\n".encode())
        if model is not None:
            disk.write(draft / MODEL, model)
        if encryption is not None:
            disk.write(draft / ENCRYPTION, f"{json.dumps(jsonable(encryption), indent=1)}\n".encode())
        # They exist from the start, since a log that is missing later is an error.
        for log in LOGS:
            disk.write(draft / log, b"")
        disk.make_folder(draft / CHECKPOINTS)
        if data_key is not None:
            secrets.put_data_key(draft, data_key, disk=disk)
        if keys is not None:
            secrets.put_keys(draft, keys, disk=disk)
        if identities is not None:
            secrets.put_identities(draft, identities, disk=disk)
