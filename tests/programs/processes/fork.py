"""A process is forked, and both it and its child go on training the model that it has."""

import os

from digits import new_model, train, weights

untrained, trained = new_model(), train(new_model())

child = os.fork()
who = "parent" if child else "child"
lines = [f"{who}: trained {weights(train(untrained))}"]
lines.append(f"{who}: trained twice {weights(train(trained))}")
if child:
    os.waitpid(child, 0)
print(*lines, sep="\n", flush=True)
