"""A program without standard streams, as one that is started by a desktop or another program."""

from pathlib import Path

from digits import EPOCHS, new_model, weights, x, y

model = new_model()
model.fit(x, y, batch_size=128, epochs=EPOCHS)
model.summary()
Path("result").write_text(f"trained {weights(model)}\n")
