"""The Keras runtime of clients: compiled programs, batches, losses and metrics."""
