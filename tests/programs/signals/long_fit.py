"""A program that fits until somebody kills it."""

from digits import new_model, x, y


def tell(record: dict[str, float]) -> None:
    if record["epoch"] == 10:
        print("fitting", flush=True)


new_model().fit(x, y, batch_size=128, epochs=1_000_000, verbose=0, on_epoch_end=tell)
