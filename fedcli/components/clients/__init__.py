"""How one client trains. TensorFlow is imported inside the builders, so that recipes can be listed without it."""
