"""A program that leaves the number of threads to the library."""

from digits import new_model, train, weights

print("trained", weights(train(new_model(threads=None))))
