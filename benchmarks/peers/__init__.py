"""fedcli beside other libraries: the same model, data, batches and clients, in turn."""
