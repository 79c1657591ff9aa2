"""A script as people begin with: nothing but what to do, in the order in which to do it."""

from pathlib import Path

from digits import answers, new_model, train, weights, x_test

with Path("runs").open("a") as file:
    file.write("once\n")
model = train(new_model())
print("trained", weights(model))
print("predicted", answers(model.predict(x_test)))
print("run", Path("runs").read_text().strip())
