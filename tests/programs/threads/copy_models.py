"""Models are copied and pickled, before and after training, and each goes on by itself."""

import copy
import pickle

from digits import new_model, train, weights

first = train(new_model())
second, third = copy.deepcopy(first), pickle.loads(pickle.dumps(first))
print("copied", weights(second) == weights(third) == weights(first))
for model in (first, second, third):
    print("trained twice", weights(train(model)))
print("trained", weights(train(copy.deepcopy(new_model()))))
