"""Networks and their training; TensorFlow is imported here and in `compress` only."""
