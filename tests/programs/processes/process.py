"""Training in a process that is a daemon in multiprocessing's sense: it may start no other."""

import multiprocessing

from digits import new_model, train, weights


def work() -> None:
    print("trained", weights(train(new_model())), flush=True)


if __name__ == "__main__":
    for method in ("fork", "spawn"):
        process = multiprocessing.get_context(method).Process(target=work, daemon=True)
        process.start()
        process.join()
