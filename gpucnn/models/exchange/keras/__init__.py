"""Models as Keras 3 describes and saves them."""
