"""Stage 4: samples come in an order, and are put together as the batches of a Keras iterator."""
